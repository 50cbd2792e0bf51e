#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: two guests reach each other, one is cut off, loses power and comes back with its disk.
if [ "${LAB_MODE:-}" = guest ]; then
	. "$LAB_LIB/guest.sh"
	other=10.98.0.$((3 - ${LAB_ADDRESS##*.}))
	answers()
	{
		timeout 3 bash -c ": </dev/tcp/$other/9" 2>&1 | grep -q refused
	}
	case $LAB_NAME$LAB_BOOT in
	one1)
		must "one reaches two" wait_for 20 answers
		tell reached
		must "the cable is pulled" hear pulled 20
		fails 1 "nothing is reached" answers
		tell alone
		must "two is there again" hear again 60
		ok "one reaches it" wait_for 20 answers
		tell met ;;
	two1)
		echo written >"$DISK1"
		sync
		tell written
		sleep 100 ;;
	two2)
		ok "the disk is as it was" test "$(head -c 7 "$DISK1")" = written
		tell again
		ok "one has seen it" hear met 30 ;;
	esac
	exit
fi
. "$(dirname "$0")/host.sh"
LAB_PREFIX=1
lab_begin
lab_guest one -m 256M -a 10.98.0.1 "$0"
lab_guest two -m 256M -a 10.98.0.2 -d 10M "$0"
lab_await reached 60 && lab_await written 60 || exit 1
lab_link two down
: >"$LAB_SHARED/pulled"
lab_await alone 60 || exit 1
lab_cut two
lab_link two up
lab_reboot two
lab_wait two || exit 1
lab_wait one
