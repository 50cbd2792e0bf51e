#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: what scripts may rely on of srsync changes: its lines, clipping, JSON, statistics, exit codes,
# and that a failed walk prints nothing.
. "${srcdir:-.}/tests/functions.sh" || exit 99
requires python3
srsync=${SRSYNC:-./srsync}
thin_pool=${THIN_POOL:-./thin-pool}
image=$tmp/img

changes()
{
	"$srsync" changes --metadata "$image" "$@" >"$tmp/out" 2>"$tmp/err"
}

json() # EXPRESSION of j, the parsed output
{
	python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); assert eval(sys.argv[2]), j' \
		"$tmp/out" "$1" || fail "$1"
}

"$thin_pool" "$image" 5000 30 20 7 || fail "thin-pool"
status 0 changes --from 0 --to 1
lines=$(wc -l <"$tmp/out")
[ "$(grep -cP '^(changed|unmapped)\t\d+\t[1-9]\d*$' "$tmp/out")" = "$lines" ] || fail "form of the lines"
[ "$(grep -c ^unmapped "$tmp/out")" -gt 10 ] && [ "$(grep -c ^changed "$tmp/out")" -gt 10 ] || fail "kinds"
sort -n -k2 "$tmp/out" | cmp - "$tmp/out" || fail "not ascending"
cp "$tmp/out" "$tmp/all"

status 0 changes --from 0 --to 1 --json
json "[r['type'] + '\t%d\t%d\n' % (r['offset'], r['length']) for r in j] == list(open('$tmp/all'))"
status 0 changes --from 1 --to 1 --json
json "j == []"
status 0 changes --from 1 --to 1
[ ! -s "$tmp/out" ] || fail "a device differs from itself"

# clipped in the middle of the fifth range
read -r kind offset length < <(sed -n 5p "$tmp/all")
status 0 changes --from 0 --to 1 --size $((offset + 512))
[ "$(wc -l <"$tmp/out")" = 5 ] || fail "--size: number of ranges"
[ "$(tail -n 1 "$tmp/out")" = "$(printf '%s\t%s\t512' "$kind" "$offset")" ] || fail "--size: $length"
status 0 changes --from 0 --to 1 --size "$offset"
[ "$(wc -l <"$tmp/out")" = 4 ] || fail "--size at the start of a range"

status 0 changes --from 0 --to 1 --stats
cmp "$tmp/out" "$tmp/all" || fail "--stats changes the output"
blocks=$(sed -n 's/^metadata blocks read: //p' "$tmp/err")
bytes=$(sed -n 's/^metadata bytes read: //p' "$tmp/err")
[ "$blocks" -gt 0 ] && [ "$bytes" = $((blocks * 4096)) ] || fail "--stats"
grep -q '^milliseconds: [0-9.]*$' "$tmp/err" || fail "--stats: time"

status 2 changes --from 0
status 2 changes --from 0 --to 16777216
status 2 changes --from x --to 1
status 1 changes --from 0 --to 9
grep -q 'no thin device 9' "$tmp/err" || fail "a missing device"
status 1 changes --from 0 --to 1 --metadata-snapshot
grep -q reserve_metadata_snap "$tmp/err" || fail "no metadata snapshot"

# a leaf near the end damaged: thousands of ranges are known by then, none may be printed
"$thin_pool" "$image" 50000 20000 0 7 || fail "thin-pool"
status 0 changes --from 0 --to 1
[ "$(wc -l <"$tmp/out")" -gt 5000 ] || fail "too few ranges"
# leaf entries of the last mapping: key 49999 in the block that device 0 keeps it in
at=$(python3 -c "
import sys
d = open('$image', 'rb').read()
print(max(d.rfind((49999).to_bytes(8, 'little'), 0, i + 4096) for i in range(0, len(d), 4096)))")
printf x | dd of="$image" bs=1 seek=$((at + 1)) conv=notrunc status=none
status 1 changes --from 0 --to 1
[ ! -s "$tmp/out" ] || fail "a failed walk printed something"
grep -q 'wrong checksum' "$tmp/err" || fail "no cause"
