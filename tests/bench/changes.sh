#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# srsync changes against thin_delta on the same metadata in the same run: bytes read, time, memory.
. "${srcdir:-.}/tests/functions.sh" || exit 99
requires thin_delta
srsync=${SRSYNC:-./srsync}
thin_pool=${THIN_POOL:-./thin-pool}
measure=${MEASURE:-./measure}
mappings=1000000
runs=9

# within CHANGED WHAT MINE THEIRS RATIO: mine must be at most 1/RATIO of theirs
within()
{
	awk -v n="$1" -v what="$2" -v mine="$3" -v theirs="$4" -v ratio="$5" 'BEGIN {
		ok = mine * ratio <= theirs
		printf "changes %4d of '$mappings': %-12s srsync %10d  thin_delta %10d  1/%-7.1f target 1/%d  %s\n",
			n, what, mine, theirs, theirs / mine, ratio, ok ? "ok" : "MISSED"
		exit !ok }' || missed=1
}

# bench CHANGED BYTES_RATIO TIME_RATIO
bench()
{
	"$thin_pool" "$tmp/img" $mappings "$1" 0 || fail "thin-pool"
	theirs=$("$measure" $runs thin_delta --thin1 0 --thin2 1 "$tmp/img") || fail "thin_delta"
	mine=$("$measure" $runs "$srsync" changes --metadata "$tmp/img" --from 0 --to 1) || fail "srsync"
	read -r mine_us mine_bytes mine_kib <<<"$mine"
	read -r their_us their_bytes their_kib <<<"$theirs"
	[ "$mine_bytes" -gt 0 ] || fail "no reads were counted: run this in a folder on a disk"
	within "$1" "bytes read" "$mine_bytes" "$their_bytes" "$2"
	within "$1" "microseconds" "$mine_us" "$their_us" "$3"
	echo "changes $(printf %4d "$1") of $mappings: peak KiB     srsync $(printf %10d "$mine_kib")  thin_delta $(printf %10d "$their_kib")"
	[ "$mine_kib" -lt 32768 ] || { echo "peak memory: MISSED (32768 KiB)"; missed=1; }
}

missed=0
bench 10 50 20
bench 400 4 5
exit $missed
