# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of groups share; after setup.sh: . "$LAB_LIB/../repl/group.sh"
#
#   pools                    hosts A (groups src, src2) and B (groups dst, dst2), a thin pool in each; B serves
#   both VG/NAME SIZE        a thin volume of that name on A and on B
#   here HOST [NAME]         what holds the newest cut on HOST: the names of all volumes, in order
#   all_equal [NAME]         the newest committed cut is the same on both hosts, by cmp of every volume
#   not_suspended            no device of this machine is

pools() # [SIZE]
{
	must "two hosts, two pools each" eval 'hosts "$DISK1 $DISK2" "$DISK3 $DISK4" &&
		make_vg src "$DISK1" && make_vg src2 "$DISK2" && make_vg dst "$DISK3" && make_vg dst2 "$DISK4"'
	for vg in src src2 dst dst2; do must "pool in $vg" make_pool $vg "${1:-100M}"; done
	must "B serves" start_serve B
}

both() # VG/NAME SIZE: a volume of that name on both hosts: src2/a and dst2/a
{
	local vg=${1%/*}

	make_volume "$vg" "${1#*/}" "$2" && make_volume "dst${vg#src}" "${1#*/}" "$2"
}

here()
{
	host "$1" cuts "${2:-web}" --json | sed -n 's/.*"here":\[\([^]]*\)\].*/\1/p' | tr -d '"' | tr ',' ' '
}

all_equal()
{
	local a b i

	read -ra a <<<"$(here A "$@")" && read -ra b <<<"$(here B "$@")"
	[ "$(newest A "$@")" = "$(newest B "$@")" ] && [ ${#a[@]} -gt 1 ] && [ ${#a[@]} = ${#b[@]} ] || return 1
	for i in "${!a[@]}"; do
		same "${a[i]}" "${b[i]}" || return 1
	done
}

not_suspended()
{
	! dmsetup info -c --noheadings -o suspended | grep -q Suspended
}
