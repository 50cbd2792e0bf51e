#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: a disk is an image as it is, a clone of one that leaves it alone, or new and empty.
if [ "${LAB_MODE:-}" = guest ]; then
	. "$LAB_LIB/guest.sh"
	ok "image" test "$(head -c 5 "$DISK1")" = image
	ok "clone of it" test "$(head -c 5 "$DISK2")" = image
	ok "new one" test "$(head -c 5 "$DISK3" | tr -d '\0')" = ""
	ok "its size" test "$(blockdev --getsize64 "$DISK3")" = 4194304
	printf first | dd of="$DISK1" bs=5 conv=notrunc,fsync status=none
	printf other | dd of="$DISK2" bs=5 conv=notrunc,fsync status=none
	exit
fi
. "$(dirname "$0")/../functions.sh"
for name in one two; do
	truncate -s 4M "$tmp/$name"
	printf image | dd of="$tmp/$name" bs=5 conv=notrunc status=none
done
"$(dirname "$0")/run" -m 128M -d "$tmp/one" -d "cow:$tmp/two" -d 4M "$0" || exit
[ "$(head -c 5 "$tmp/one")" = first ] || fail "the write to the image is lost"
[ "$(head -c 5 "$tmp/two")" = image ] || fail "the clone's origin was written"
