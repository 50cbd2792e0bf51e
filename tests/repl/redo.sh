# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of destinations without snapshots share; sourced after setup.sh.
#
#   newest_of HOST NAME      generation and number of the newest cut of a partnership
#   sums HOST NAME MIB       a sum of the first MIB of each of what holds that cut, by dd at rest
#   redo_equal NAME MIB      both hosts hold the same cut, with the same bytes

newest_of()
{
	host "$1" cuts "$2" --json | sed -n 's/.*"generation":"\([0-9a-f]*\)","seq":\([0-9]*\).*/\1 \2/p'
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

sums()
{
	local name

	for name in $(host "$1" cuts "$2" --json | grep -o '"here":\[[^]]*\]' | tail -n 1 | sed 's/^"here"://' | tr -d '[]"' | tr , ' '); do
		sum_of "$name" "$3"
	done
}

redo_equal()
{
	local a b

	a=$(sums A "$1" "$2") b=$(sums B "$1" "$2")
	[ -n "$a" ] && [ "$a" = "$b" ] && [ "$(newest_of A "$1")" = "$(newest_of B "$1")" ]
}
