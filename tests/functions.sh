# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# For test scripts that run on this machine: . "${srcdir:-.}/tests/functions.sh"
# Gives a scratch folder $tmp, removed at the end.

tmp=$(mktemp -d "$PWD/tmp.XXXXXX") || exit 99
# shellcheck disable=SC2089 # commands, run by eval
cleanup_commands='rm -rf "$tmp"'
# shellcheck disable=SC2090
trap 'status=$?; eval "$cleanup_commands"; exit $status' EXIT
trap 'exit 130' HUP INT TERM

# cleanup_fn COMMAND...: run at the end, the last one first
cleanup_fn()
{
	cleanup_commands="$*; $cleanup_commands"
}

# requires COMMAND...: or the test is skipped
requires()
{
	for requires_name; do
		if ! command -v "$requires_name" >/dev/null; then
			echo "SKIP: $requires_name is missing"
			exit 77
		fi
	done
}

fail()
{
	echo "FAILED: $*"
	exit 1
}

# status WANT COMMAND...: the command must end with this status
status()
{
	status_want=$1
	shift
	status_got=0
	"$@" || status_got=$?
	[ "$status_got" = "$status_want" ] || fail "status $status_got, not $status_want: $*"
}
