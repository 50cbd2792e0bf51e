#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the runner tells how a guest ended, and leaves no process and no file behind.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/host.sh"
run=$lab_here/run
export LAB_BUILD=${LAB_BUILD:-$PWD}
export LAB_DIR=$tmp/lab
cd "$tmp" || exit 99

try() # STATUS NAME RUNNER_WORDS CONTENT
{
	printf '%s\n' "$4" >"$2"
	# shellcheck disable=SC2086 # words
	status "$1" "$run" -m 128M $3 "$2" >"$2.out"
	[ ! -e "$LAB_DIR" ] || fail "$2: files are left: $(ls "$LAB_DIR")"
}

if "$run" -m 128M /dev/null | grep SKIP; then
	exit 77
fi
try 5 status "" 'echo said; exit 5'
grep -qx said status.out || fail "the guest's words are lost"
try 77 skipped "" 'exit 77'
try 1 nothing "" '. "$LAB_LIB/guest.sh"'
try 1 failing "" '. "$LAB_LIB/guest.sh"; ok "works" true; ok "is refused" false'
try 124 slow "-t 6" 'sleep 100'
try 125 died "" 'echo c >/proc/sysrq-trigger; sleep 100'

echo 'sleep 100' >hang
"$run" -m 128M hang >hang.out &
for ((i = 0; i < 100; i++)); do
	grep -qs LAB-START "$LAB_DIR"/*/hang/console && break
	sleep 0.1
done
group=$(pgrep -f "LAB=$LAB_DIR" | head -n 1)
[ -n "$group" ] || fail "no guest is running"
kill -TERM $!
status 143 wait $!
pgrep -f "LAB=$LAB_DIR" && fail "a guest outlived its runner"
[ ! -e "$LAB_DIR" ] || fail "files are left"
