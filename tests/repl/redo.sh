# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of destinations without snapshots share; sourced after setup.sh.
#
#   newest_of HOST NAME      generation and number of the newest cut of a partnership
#   sums HOST NAME MIB       a sum of the first MIB of each of what holds that cut, by dd at rest
#   redo_equal NAME MIB      both hosts hold the same cut, with the same bytes

newest_of()
{
	newest_in "$(host "$1" cuts "$2" --json)"
}

sum_of() # LV|DEVICE MIB
{
	case $1 in
	/*) dd if="$1" bs=1M count="$2" iflag=direct status=none | md5sum ;;
	*)
		lvchange -q -ay -K "$1" && dd if="/dev/$1" bs=1M count="$2" iflag=direct status=none | md5sum
		lvchange -q -an "$1"
		;;
	esac
}

sums_in() # JSON MIB
{
	local list name

	[[ $1 =~ .*\"here\":\[([^]]*) ]] && IFS=, read -ra list <<<"${BASH_REMATCH[1]//\"/}"
	for name in "${list[@]}"; do
		sum_of "$name" "$2"
	done
}

sums()
{
	sums_in "$(host "$1" cuts "$2" --json)" "$3"
}

redo_equal()
{
	local a b sum

	a=$(host A cuts "$1" --json) b=$(host B cuts "$1" --json)
	sum=$(sums_in "$a" "$2")
	[ -n "$sum" ] && [ "$sum" = "$(sums_in "$b" "$2")" ] && [ "$(newest_in "$a")" = "$(newest_in "$b")" ]
}
