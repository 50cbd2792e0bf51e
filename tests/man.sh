#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: srsync(8) names every command and every option that the program prints, and the pages are clean.
srsync=${SRSYNC:-./srsync}
man=${srcdir:-.}/man
bad=0
commands=$("$srsync" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -w)" -ge 19 ] || { echo "the list of commands is short: $commands"; bad=1; }
for c in $commands; do
	grep -Eq "(Cm| ,) $c\b" "$man/srsync.8" || { echo "srsync(8) lacks the command $c"; bad=1; }
	for o in $("$srsync" "$c" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p'); do
		grep -q "Fl -$o\b" "$man/srsync.8" || { echo "srsync(8) lacks $c --$o"; bad=1; }
	done
done
command -v mandoc >/dev/null || { echo "mandoc is missing"; exit 77; }
for page in "$man"/*.[58]; do
	mandoc -Tlint -W warning "$page" || bad=1
done
exit $bad
