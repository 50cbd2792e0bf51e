#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: srsync changes says the same as thin_delta, the tool of another hand, about pools that
# thin_restore wrote and about pools with shared trees, at small and large chunks.
. "${srcdir:-.}/tests/functions.sh" || exit 99
requires thin_restore thin_delta thin_check
srsync=${SRSYNC:-./srsync}
thin_pool=${THIN_POOL:-./thin-pool}

# Two devices of about N mappings in random runs, as thin_restore wants them.
pool_xml() # N CHUNK_SECTORS SEED
{
	awk -v n="$1" -v chunk="$2" -v seed="$3" 'BEGIN {
		srand(seed)
		printf "<superblock uuid=\"\" time=\"9\" transaction=\"3\" data_block_size=\"%d\" nr_data_blocks=\"%d\">\n", chunk, 3 * n + 1000
		for (dev = 1; dev <= 2; dev++) {
			key = data = count = out = 0
			text = ""
			if (dev == 2) srand(seed)
			while (count < n) {
				key += int(rand() * 4)
				len = 1 + int(rand() * 9)
				odd = rand() < 0.02 ? dev : 0
				if (odd != 2 || rand() < 0.7)
					text = text sprintf("<range_mapping origin_begin=\"%d\" data_begin=\"%d\" length=\"%d\" time=\"1\"/>\n", key, data + (odd == 2 ? 2 * n : 0), len)
				key += len; data += len; count += len
				if (++out % 500 == 0) { body = body text; text = "" }
			}
			printf "<device dev_id=\"%d\" mapped_blocks=\"%d\" transaction=\"1\" creation_time=\"%d\" snap_time=\"%d\">\n%s%s</device>\n", dev, count, dev, dev, body, text
			body = ""
		}
		print "</superblock>"
	}'
}

# thin_delta's XML as maximal ranges in bytes
delta() # IMAGE FROM TO
{
	thin_delta --thin1 "$2" --thin2 "$3" "$1" | awk -F'"' '
		function put() { if (len) printf "%s\t%.0f\t%.0f\n", kind, first * chunk, len * chunk }
		/<superblock/ { for (i = 1; i < NF; i++) if ($i ~ /data_block_size=$/) chunk = $(i + 1) * 512 }
		/<(different|right_only|left_only) / {
			k = /left_only/ ? "unmapped" : "changed"
			if (k == kind && $2 == first + len) { len += $4; next }
			put(); kind = k; first = $2; len = $4
		}
		END { put() }'
}

compare() # IMAGE A B
{
	for pair in "$2 $3" "$3 $2"; do
		# shellcheck disable=SC2086 # two words
		set -- "$1" $pair
		delta "$@" >"$tmp/want" || fail "thin_delta $*"
		"$srsync" changes --metadata "$1" --from "$2" --to "$3" >"$tmp/got" || fail "changes $*"
		cmp "$tmp/want" "$tmp/got" || fail "$*: not what thin_delta says"
		[ -s "$tmp/got" ] || fail "$*: nothing differs"
		echo "$*: $(wc -l <"$tmp/got") ranges"
	done
}

for args in "300 128 1" "30000 384 2" "20000 2097152 3" "1000000 128 4"; do
	# shellcheck disable=SC2086 # three words
	pool_xml $args >"$tmp/xml"
	truncate -s 0 "$tmp/img"
	truncate -s 100M "$tmp/img"
	thin_restore -i "$tmp/xml" -o "$tmp/img" >"$tmp/out" 2>&1 || { cat "$tmp/out"; fail "thin_restore"; }
	compare "$tmp/img" 1 2
done
for args in "5000 40 10" "300000 3000 20000" "1000000 400 400"; do
	# shellcheck disable=SC2086 # three words
	"$thin_pool" "$tmp/img" $args || fail "thin-pool $args"
	thin_check "$tmp/img" >"$tmp/out" 2>&1 || { cat "$tmp/out"; fail "thin_check: $args"; }
	compare "$tmp/img" 0 1
done
