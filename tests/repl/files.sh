# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of image files share that are killed or lose power; after setup.sh:
# . "$LAB_LIB/../repl/files.sh"
#
#   partners NAME IMAGE=COPY...   a partnership from A to B of new images of 8 MiB
#   alter NAME [PAGES]            random bytes and a hole in each of its images, durable
#   learn HOST NAME               cut_id[HOST], cut_files[HOST]: its newest cut, what holds it;
#                                 slots[HOST]: what holds any
#   keep NAME                     copies of B's newest cut, elsewhere
#   yields NAME old|new|either    B's newest cut is the one of the last keep, or what the images are
#   goes_on NAME WHAT [WORD...]   the next sync makes all equal, and leaves nothing else behind
#   serve_faulty POINT[:N]        B serves, up to there
#   target_died WHAT              B's server was killed

declare -A images=() copies=() cut_id=() cut_files=() slots=()
kept='' kept_id=''

partners()
{
	local name=$1 pair words=()

	shift
	for pair; do
		images[$name]+="${pair%=*} "
		copies[$name]+="${pair#*=} "
		truncate -s 8M "${pair%=*}"
		[ "$pair" = "$1" ] || words+=(--volume "$pair")
	done
	pair "$name" "${1%=*}" "${1#*=}" "${words[@]}"
}

alter()
{
	local f

	for f in ${images[$1]}; do
		fallocate -p -o $((RANDOM % 1900 * 4096)) -l 70001 "$f"
		dd if=/dev/urandom of="$f" bs=4k count="${2:-$((RANDOM % 100 + 1))}" \
			seek=$((RANDOM % (2048 - ${2:-101}))) conv=notrunc,fsync status=none
	done
}

learn()
{
	local list all

	all=$(host "$1" cuts "$2" --json) || return 1
	list=$all
	cut_id[$1]='' cut_files[$1]='' slots[$1]=''
	[[ $list =~ .*\"generation\":\"([0-9a-f]+)\",\"seq\":([0-9]+) ]] &&
		cut_id[$1]="${BASH_REMATCH[*]:1}"
	[[ $list =~ .*\"here\":\[([^]]*)\] ]] && cut_files[$1]=${BASH_REMATCH[1]//[\",]/ }
	while [[ $list =~ \"(/[^\"]*)\" ]]; do
		slots[$1]+=" ${BASH_REMATCH[1]} "
		list=${list#*"${BASH_REMATCH[0]}"}
	done
	# what the destination lists it has
	[ "$1" = A ] || [[ $all != *'"here":[]'* ]]
}

each_same() # "FILE..." "FILE...": as many, and pair by pair the same bytes
{
	local a b i

	read -ra a <<<"$1" && read -ra b <<<"$2"
	[ ${#a[@]} -gt 0 ] && [ ${#a[@]} = ${#b[@]} ] || return 1
	for i in "${!a[@]}"; do
		cmp "${a[i]}" "${b[i]}" || return 1
	done
}

keep()
{
	local f

	learn B "$1" || return 1
	kept_id=${cut_id[B]}
	rm -rf "$LAB_RUN/kept"
	mkdir "$LAB_RUN/kept"
	for f in ${cut_files[B]}; do
		cp --reflink=never "$f" "$LAB_RUN/kept/"
	done
	kept=$(for f in ${cut_files[B]}; do printf '%s ' "$LAB_RUN/kept/${f##*/}"; done)
}

yields()
{
	learn B "$1" || return 1
	if [ "${cut_id[B]}" = "$kept_id" ]; then
		[ "$2" != new ] && each_same "${cut_files[B]}" "$kept"
	else
		[ "$2" != old ] && each_same "${cut_files[B]}" "${images[$1]}"
	fi
}

nothing_else() # NAME: beside its images and copies there are only slots of cuts that count
{
	local f s

	for f in ${images[$1]} ${copies[$1]}; do
		for s in "$f".srsync*; do
			[ -e "$s" ] || continue
			[[ "${slots[A]} ${slots[B]}" == *" $s "* ]] || {
				echo "left: $s"
				return 1
			}
		done
	done
	! compgen -G "/run/srsync/frozen-fs-*"
}

one_cut() # NAME: the newest of both hosts
{
	learn A "$1" && learn B "$1" && [ -n "${cut_id[A]}" ] && [ "${cut_id[A]}" = "${cut_id[B]}" ]
}

next_sync() # NAME [WORD...]
{
	json=$(host A sync "$@" --json)
}

goes_on()
{
	local name=$1 after=$2

	shift 2
	ok "$after: the next sync" next_sync "$name" "$@"
	ok "$after: one cut" one_cut "$name"
	ok "$after: A's is what the images are" each_same "${cut_files[A]}" "${images[$name]}"
	ok "$after: B's too" each_same "${cut_files[B]}" "${images[$name]}"
	ok "$after: and the heads" each_same "${copies[$name]}" "${images[$name]}"
	ok "$after: nothing else is left" nothing_else "$name"
}

serve_faulty()
{
	export SRSYNC_FAULT=$1
	SERVE=$SRSYNC_FAULT_BIN start_serve B
	unset SRSYNC_FAULT
}

target_died()
{
	if lab_answers B; then
		stop_serve B
		fails 0 "$1: the destination was killed" false
		return
	fi
	wait "${lab_serving[B]}"
	ok "$1: the destination was killed" test $? = 137
	unset "lab_serving[B]"
}
