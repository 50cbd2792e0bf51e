#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: no header is included that the map forbids. The map is tests/layers. Own headers stand in
# quotes and without a path, all others in angle brackets.
cd "${srcdir:-.}" || exit 99
bad=0
seen=0

allowed() # HEADER FOLDER...
{
	header=$1
	shift
	case $header in */*) return 1 ;; esac
	for folder; do
		[ -e "$folder/$header" ] && return 0
	done
	return 1
}

while read -r dir may; do
	case $dir in '#'*) continue ;; esac
	for file in "$dir"/*.[ch]; do
		[ -e "$file" ] || continue
		seen=$((seen + 1))
		for header in $(sed -n 's/^#[[:space:]]*include "\(.*\)".*/\1/p' "$file"); do
			# shellcheck disable=SC2086 # a list of folders
			allowed "$header" $may && continue
			echo "$file: may not include \"$header\""
			bad=1
		done
	done
done <tests/layers
[ $seen -gt 0 ] || bad=1
exit $bad
