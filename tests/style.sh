#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the source keeps its form: files up to 600 lines, functions up to 50, the licence line, the
# layout of .clang-format, scripts that parse, no path of a developer's machine.
cd "${srcdir:-.}" || exit 99
bad=0
mapfile -t code < <(find src bitmap transport tests -name '*.[ch]' | sort)
mapfile -t scripts < <(find tests bootstrap .ci -name '*.sh' -o -name '*.lab' -o -path tests/lab/run \
	-o -path tests/lab/init -o -path .ci/run -o -path bootstrap | sort)
scripts+=(contrib/hooks/mysql contrib/hooks/postgresql)

complain()
{
	echo "$*"
	bad=1
}

[ ${#code[@]} -gt 10 ] && [ ${#scripts[@]} -gt 10 ] || complain "no source found"

for f in "${code[@]}"; do
	[ "$(head -n 1 "$f")" = "/* SPDX-License-Identifier: GPL-2.0-or-later */" ] ||
		complain "$f: the first line is not the licence line"
done
for f in "${scripts[@]}"; do
	head -n 2 "$f" | grep -qx '# SPDX-License-Identifier: GPL-2.0-or-later' ||
		complain "$f: no licence line"
	bash -n "$f" || complain "$f: does not parse"
done
for f in "${code[@]}" "${scripts[@]}"; do
	lines=$(wc -l <"$f")
	[ "$lines" -le 600 ] || complain "$f: $lines lines"
done

# a function's body stands between { and } in the first column
long=$(awk 'FNR == 1 { start = 0 }
	/^\{/ { start = FNR }
	/^\}/ { if (start && FNR - start - 1 > 50) print FILENAME ":" start ": function of " FNR - start - 1 " lines"
		start = 0 }' "${code[@]}")
[ -z "$long" ] || complain "$long"

# a path of one part, as /src, would be found inside honest names
case $PWD in
/*/*) paths=$(grep -rnIF -e "$PWD/" bootstrap .ci bitmap contrib man src tests transport ./*.ac ./*.am ./*.md) ;;
*) paths= ;;
esac
[ -z "$paths" ] || complain "paths of this machine:
$paths"

if command -v clang-format >/dev/null; then
	for f in "${code[@]}"; do
		clang-format "$f" | cmp -s - "$f" || complain "$f: clang-format -i changes it"
	done
elif [ $bad = 0 ]; then
	echo "SKIP: clang-format is missing"
	exit 77
fi
if command -v shellcheck >/dev/null; then
	shellcheck -s bash -S warning -e SC1090,SC1091,SC2034,SC2154 "${scripts[@]}" || bad=1
fi
exit $bad
