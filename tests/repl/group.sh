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

here_in() # JSON
{
	[[ $1 =~ .*\"here\":\[([^]]*) ]] && tr -d '"' <<<"${BASH_REMATCH[1]//,/ }"
}

here()
{
	here_in "$(host "$1" cuts "${2:-web}" --json)"
}

all_equal()
{
	local ja jb a b i asleep=() status=0

	ja=$(host A cuts "${1:-web}" --json) jb=$(host B cuts "${1:-web}" --json)
	[ -n "$(newest_in "$ja")" ] && [ "$(newest_in "$ja")" = "$(newest_in "$jb")" ] || return 1
	read -ra a <<<"$(here_in "$ja")" && read -ra b <<<"$(here_in "$jb")"
	[ ${#a[@]} -gt 1 ] && [ ${#a[@]} = ${#b[@]} ] || return 1
	for i in "${a[@]}" "${b[@]}"; do
		[ -f "$i" ] || [ -e "/dev/$i" ] || asleep+=("$i")
	done
	[ ${#asleep[@]} = 0 ] || lvchange -q -ay -K "${asleep[@]}" || return 1
	for i in "${!a[@]}"; do
		same "${a[i]}" "${b[i]}" || status=1
	done
	[ ${#asleep[@]} = 0 ] || lvchange -q -an "${asleep[@]}"
	return $status
}

not_suspended()
{
	! dmsetup info -c --noheadings -o suspended | grep -q Suspended
}
