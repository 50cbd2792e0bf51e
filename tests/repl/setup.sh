# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the lab tests of replication share; sourced after guest.sh: . "$LAB_LIB/../repl/setup.sh"
#
#   site [SIZE [POOL]]      hosts A (group src) and B (group dst), pools, volumes data; B serves; "web"
#   held HOST [N]           what holds the newest cut on HOST ("" if nothing does), of its N-th volume
#   replica_equals          the newest committed cut is the same on both hosts, by cmp; by its tokens the
#                           same cut: generation and number
#   field NAME              of the JSON on standard input, the first member of that name
#   change_file FILE        random bytes, holes and unwritten space at random places
#   image_disks FS FS       the first two disks, mounted at $M/x and $M/y
#   synced [WORD...]        srsync sync web on A, its JSON kept in $json

json=

make_site() # SIZE POOL: everything but the server and the partnership
{
	hosts && make_vg src "$(lab_pv 1)" && make_vg dst "$(lab_pv 2)" &&
		make_pool_and_volume src "$2" data "$1" && make_pool_and_volume dst "$2" data "$1"
}

site()
{
	must "two hosts with pools and volumes" make_site "${1:-64M}" "${2:-200M}"
	must "B serves" start_serve B
	must "a partnership" pair web src/data dst/data
}

# A process costs a guest tens of milliseconds: these take JSON apart in the shell.
field()
{
	local j

	IFS= read -r -d '' j
	[[ $j =~ .*\"$1\":\"?([^],\"}]*) ]] && echo "${BASH_REMATCH[1]}"
}

held_in() # JSON [N]
{
	local list=()

	[[ $1 =~ .*\"here\":\[([^]]*) ]] && IFS=, read -ra list <<<"${BASH_REMATCH[1]//\"/}"
	echo "${list[${2:-1} - 1]:-}"
}

newest_in() # JSON
{
	[[ $1 =~ .*\"generation\":\"([0-9a-f]*)\",\"seq\":([0-9]+) ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
}

held()
{
	held_in "$(host "$1" cuts web --json)" "${2:-1}"
}

newest() # HOST [NAME]: generation and number of its newest cut
{
	newest_in "$(host "$1" cuts "${2:-web}" --json)"
}

replica_equals() # [N]: by its N-th volume
{
	local a b

	a=$(host A cuts web --json) b=$(host B cuts web --json)
	[ -n "$(newest_in "$a")" ] && [ "$(newest_in "$a")" = "$(newest_in "$b")" ] || return 1
	a=$(held_in "$a" "${1:-1}") b=$(held_in "$b" "${1:-1}")
	[ -n "$a" ] && [ -n "$b" ] && same "$a" "$b"
}

synced()
{
	json=$(host A sync web --json "$@")
}

# B's committed cut by its state file and device-mapper alone: another judge than srsync and LVM, whose
# commands cost a guest a second each.
committed() # generation and number
{
	local s

	s=$(<"$LAB_STATE/B/var/web/state.json")
	newest_in "${s//[$' \n\t']/}"
}

keep_committed() # FILE: its bytes, of the first volume, a thin one of dst/pool
{
	local s status pool=/dev/mapper/dst-pool-tpool

	s=$(<"$LAB_STATE/B/var/web/state.json")
	[[ $s =~ .*\"thin:[^:]*:([0-9]+):.*\"size\":\ ([0-9]+) ]] || return 1
	dmsetup create -r peek --table "0 $((BASH_REMATCH[2] / 512)) thin $pool ${BASH_REMATCH[1]}" || return 1
	dd if=/dev/mapper/peek of="$1" bs=1M iflag=direct status=none
	status=$?
	dmsetup remove peek
	return $status # what was read in part must not look like a cut
}

committed_is() # FILE: as kept
{
	keep_committed "$1.now" && cmp "$1" "$1.now"
}

# For tests that kill again and again: after change_kept the source is kept, as is what it was the time before.
change_kept()
{
	change src/data
	[ ! -e "$LAB_RUN/kept.new" ] || mv "$LAB_RUN/kept.new" "$LAB_RUN/kept.old"
	dd if=/dev/src/data of="$LAB_RUN/kept.new" bs=1M iflag=direct status=none
}

committed_was_source() # B's committed cut is what the source was at one of the last two
{
	keep_committed "$LAB_RUN/committed" &&
		{ cmp -s "$LAB_RUN/committed" "$LAB_RUN/kept.new" || cmp "$LAB_RUN/committed" "$LAB_RUN/kept.old"; }
}

source_committed() # what A holds now is what B has committed: after a sync, when nobody has written since
{
	keep_committed "$LAB_RUN/committed" && same src/data "$LAB_RUN/committed"
}

change() # [LV [BLOCKS]]: random bytes at random places, and a discard
{
	local dev=/dev/${1:-src/data} n=${2:-4} size

	size=$(($(blockdev --getsize64 "$dev") / 65536))
	while [ "$n" -gt 0 ]; do
		dd if=/dev/urandom of="$dev" bs=4k count=$((RANDOM % 24 + 1)) \
			seek=$((RANDOM * 7 % size * 16 % (size * 16 - 24))) oflag=direct conv=notrunc status=none
		n=$((n - 1))
	done
	blkdiscard -f -o $((RANDOM % (size - 4) * 65536)) -l 131072 "$dev"
	dd if=/dev/zero of="$dev" bs=64k count=1 seek=$((RANDOM % size)) oflag=direct conv=notrunc status=none
}

M=$LAB_RUN/images
image_disks()
{
	local dir disk=1

	for fs; do
		dir=$M/$(echo xy | cut -c $disk)
		mkdir -p "$dir"
		"mkfs.$fs" -q "$(lab_pv $disk)" && mount "$(lab_pv $disk)" "$dir" || return 1
		disk=$((disk + 1))
	done
}

change_file()
{
	local pages=$(($(stat -c %s "$1") / 4096 - 300)) n

	for n in 1 2 3 4 5 6; do
		dd if=/dev/urandom of="$1" bs=4k count=$((RANDOM % 24 + 1)) seek=$((RANDOM % pages)) \
			conv=notrunc status=none
		fallocate -p -o $((RANDOM % pages * 4096 + RANDOM % 4096)) -l $((RANDOM * 9)) "$1"
		fallocate -o $((RANDOM % pages * 4096)) -l $((RANDOM * 9)) "$1"
	done
}
