# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of the log volume dst/log share; sourced after redo.sh.
#
#   log_hosts SIZE         hosts, thin volumes src/data and src/mail of 20 MiB, thick ones of the same names
#                          in dst, dst/log, and the partnerships web and mail, synced once
#   serve_log [WORD...]    B serves with it
#   log_owner              whose cut it holds: "", a name, or "?" for a head that is none of srsync's
#   fill MIB [NAME]        random bytes at the start of the source's volume
#   said WORD...           grep in $LAB_RUN/said, which is shown

log_hosts()
{
	hosts "$DISK1" "$DISK2" && make_vg src "$DISK1" && make_vg dst "$DISK2" && make_pool src 150M &&
		make_volume src data 20M && make_volume src mail 20M && make_thick dst data 20M &&
		make_thick dst mail 20M && make_thick dst log "$1"
	blkdiscard -f -z /dev/dst/log
}

serve_log()
{
	start_serve B --spool dst/log "$@"
}

log_pairs()
{
	pair web src/data dst/data && host A create mail --peer "$(address B):$LAB_PORT" \
		--fingerprint "$(fingerprint B)" --volume src/mail=dst/mail && host A sync web && host A sync mail
}

log_owner()
{
	[ "$(head -c 8 /dev/dst/log | tr -d '\0')" = SRSPOOL1 ] || { echo "?"; return; }
	dd if=/dev/dst/log bs=1 skip=56 count=64 status=none | tr -d '\0'
}

log_is() # OWNER
{
	[ "$(log_owner)" = "$1" ]
}

fill()
{
	dd if=/dev/urandom of="/dev/src/${2:-data}" bs=1M count="$1" oflag=direct conv=notrunc status=none
}

said()
{
	cat "$LAB_RUN/said"
	grep -q "$@" "$LAB_RUN/said"
}
