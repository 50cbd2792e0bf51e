# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The lab's host side: starts, cuts and reaps user-mode guests. Sourced by bash: by tests/lab/run
# for one guest, by the two-guest tests for several.
#
#   lab_guest NAME [option...] SCRIPT [ARG...]   boot a guest in the background
#       -d SIZE | -d FILE | -d cow:FILE   a disk: sparse of that size, an image, a copy-on-write clone
#       -m MEM (512M)  -t SECONDS (120)  -e NAME=VALUE  -a ADDRESS of the lab network (10.98.0.0/24)
#   lab_wait NAME [quiet]    wait for its end; the status of SCRIPT, 124 timeout, 125 died
#   lab_cut NAME             power cut: the whole process group at once, nothing flushed
#   lab_reboot NAME          boot it again: same disks and script, LAB_BOOT one higher
#   lab_link NAME up|down    its cable
#   lab_await FILE SECONDS   wait for a file in $LAB_SHARED, the folder that all guests can write
# LAB_SLOW=N multiplies all times by N, for a slow or busy machine.
# Programs come from LAB_BUILD: make sets it; else the current directory if it is a build directory,
# else build/ of the tree. Everything lies in $LAB_WORK, made below LAB_DIR (lab.tmp in the current
# directory) and removed at exit.

lab_here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
declare -A lab_pid=() lab_dog=() lab_words=() lab_net=()
LAB_KEEP=${LAB_KEEP:-}

lab_skip()
{
	echo "SKIP: $*"
	exit 77
}

lab_begin()
{
	local dir=${LAB_DIR:-$PWD/lab.tmp}

	[ -n "${LAB_BUILD:-}" ] || { [ -e config.status ] && LAB_BUILD=$PWD; } ||
		LAB_BUILD=$(realpath -m "$lab_here/../../build")
	[ -e "$LAB_BUILD/config.status" ] || {
		echo "lab: $LAB_BUILD is not a build directory: run this in one, or set LAB_BUILD" >&2
		exit 99
	}
	SRSYNC=${SRSYNC:-$LAB_BUILD/srsync}
	SRSYNC_FAULT_BIN=${SRSYNC_FAULT_BIN:-$LAB_BUILD/srsync-fault}
	case $dir in
	*[[:space:],]*)
		echo "lab: the folder $dir has a blank or comma in its name; set LAB_DIR to another" >&2
		exit 99 ;;
	esac
	mkdir -p "$dir" && LAB_WORK=$(mktemp -d "$dir/XXXXXX") || exit 99
	LAB_SHARED=$LAB_WORK/shared
	mkdir "$LAB_SHARED"
	LAB_NS=srlab-$(basename "$LAB_WORK")
	trap lab_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

lab_end()
{
	local status=$? name

	trap '' HUP INT TERM
	for name in "${!lab_pid[@]}"; do
		lab_cut "$name"
	done
	[ -e "/run/netns/$LAB_NS" ] && ip netns del "$LAB_NS"
	if [ -n "$LAB_KEEP" ]; then
		echo "lab: kept $LAB_WORK"
	else
		rm -rf "$LAB_WORK"
		rmdir "$(dirname "$LAB_WORK")" 2>/dev/null # the last one leaves nothing
	fi
	exit "$status"
}

lab_disk() # GUESTS_FOLDER FILE_THERE WHAT -> the word for the kernel
{
	case $3 in
	cow:*) echo "$2,$(realpath "${3#cow:}")" ;;
	*/*) realpath "$3" ;;
	*) truncate -s "$3" "$1/$2" && echo "$2" ;;
	esac
}

# the memory of a guest is a file: in shared memory unless that is too small or not executable
lab_memdir()
{
	local free

	free=$(df --output=avail -B1 /dev/shm 2>/dev/null | tail -n 1)
	if [ -w /dev/shm ] && [ "${free:-0}" -ge "$(numfmt --from=iec "$1")" ] &&
		! findmnt -no OPTIONS /dev/shm | grep -qw noexec; then
		echo /dev/shm
	else
		echo .
	fi
}

lab_switch() # the network of the guests: a bridge in a namespace of our own
{
	[ -e "/run/netns/$LAB_NS" ] && return
	[ "$(id -u)" = 0 ] || lab_skip "two guests on a network need root"
	[ -c /dev/net/tun ] || lab_skip "no /dev/net/tun for the guests' network"
	ip netns add "$LAB_NS" || lab_skip "no network namespaces here"
	ip -n "$LAB_NS" link set lo up
	ip -n "$LAB_NS" link add lab type bridge && ip -n "$LAB_NS" link set lab up ||
		lab_skip "no bridge in a network namespace"
}

lab_plug() # NAME: its tap on the bridge
{
	lab_switch
	ip -n "$LAB_NS" tuntap add "tap-$1" mode tap && ip -n "$LAB_NS" link set "tap-$1" master lab up ||
		lab_skip "no tap device"
	lab_net[$1]=1
}

lab_mac() # ADDRESS
{
	printf '02:00:00:00:00:%02x\n' "${1##*.}"
}

lab_link()
{
	ip -n "$LAB_NS" link set "tap-$1" "$2"
}

lab_guest()
{
	local name=$1 dir=$LAB_WORK/$1 mem=512M limit=120 address='' opt word n=0
	local disks='' env=() kernel=()

	command -v linux.uml >/dev/null || lab_skip "linux.uml is missing: install user-mode-linux"
	shift
	mkdir "$dir" "$dir/uml"
	while getopts m:t:d:e:a: opt; do
		case $opt in
		m) mem=$OPTARG ;;
		t) limit=$OPTARG ;;
		a) address=$OPTARG ;;
		e) env+=("$OPTARG") ;;
		d)
			word=$(lab_disk "$dir" "disk$n" "$OPTARG") || exit 99
			kernel+=("ubd$n=$word")
			disks+=" /dev/ubd$(printf '%b' "\\$(printf %o $((97 + n)))")"
			n=$((n + 1)) ;;
		*) exit 99 ;;
		esac
	done
	shift $((OPTIND - 1))
	OPTIND=1
	if [ -n "$address" ]; then
		lab_plug "$name"
		# Without gro the driver drops all large frames; without mac a reboot is a new card.
		kernel+=("vec0:transport=tap,ifname=tap-$name,depth=128,gro=1,mac=$(lab_mac "$address")")
	fi
	# The guest reads its words from a file, so that they may contain anything.
	for word in "LAB_NAME=$name" "LAB=$dir" "LAB_SHARED=$LAB_SHARED" "LAB_WORK=$LAB_WORK" \
		"LAB_DISKS=${disks# }" "LAB_ADDRESS=$address" "LAB_LIB=$lab_here" "LAB_BUILD=$LAB_BUILD" \
		"SRSYNC=$SRSYNC" "SRSYNC_FAULT_BIN=$SRSYNC_FAULT_BIN" LAB_MODE=guest "${env[@]}"; do
		printf 'export %s=%q\n' "${word%%=*}" "${word#*=}"
	done >"$dir/env"
	printf '%q ' "$(realpath "$1")" "${@:2}" >"$dir/script"
	echo 0 >"$dir/boot"
	lab_words[$name]="$mem $((limit * ${LAB_SLOW:-1})) ${kernel[*]}"
	lab_reboot "$name"
}

# A guest's kernel runs its programs by ptrace, so two processes take turns all the time: on one
# processor that takes less than half as long as on two. Each guest gets the one with the fewest guests,
# by a lock that lasts as long as the guest does.
lab_pin()
{
	local cpus cpu level

	[ "$(nproc)" -gt 1 ] || return
	cpus=$(taskset -cp "$BASHPID" | sed 's/.*: //; s/,/\n/g' |
		while IFS=- read -r low high; do seq "$low" "${high:-$low}"; done)
	for level in . topology power; do
		for cpu in $cpus; do
			{ exec 9<"/sys/devices/system/cpu/cpu$cpu/$level"; } 2>/dev/null && flock -n 9 &&
				taskset -cp "$cpu" "$BASHPID" >/dev/null && return
		done
	done
	exec 9<&-
}

lab_reboot()
{
	local name=$1 dir=$LAB_WORK/$1 mem limit kernel in=()

	read -r mem limit kernel <<<"${lab_words[$name]}"
	echo $(($(cat "$dir/boot") + 1)) >"$dir/boot"
	rm -f "$dir/status" "$dir/timeout" "$dir/cut"
	: >"$dir/console"
	[ -n "${lab_net[$name]:-}" ] && in=(nsenter "--net=/run/netns/$LAB_NS" --)
	# Its own session, hence a process group that one signal ends. Relative names: the control
	# socket's path has a small limit.
	(
		cd "$dir" || exit 99
		TMPDIR=$(lab_memdir "$mem")
		export TMPDIR
		lab_pin
		# shellcheck disable=SC2086 # kernel words are words
		exec setsid "${in[@]}" linux.uml mem="$mem" umid=lab uml_dir=uml/ rootfstype=hostfs \
			rootflags=/ ro init="$lab_here/init" LAB="$dir" quiet \
			con=null con0=null,fd:1 ssl=null $kernel </dev/null >>console 2>&1
	) &
	lab_pid[$name]=$!
	disown # no word from bash about its death
	# outlives us if we are killed, so the guest ends in any case
	setsid bash "$lab_here/dog" "$limit" "$!" "$dir" </dev/null >/dev/null 2>&1 &
	lab_dog[$name]=$!
	disown
}

lab_cut()
{
	local pid=${lab_pid[$1]:-}

	[ -n "$pid" ] || return 0
	{
		kill -9 -- "-${lab_dog[$1]}"
		kill -9 -- "-$pid" # helper threads keep the disks locked, so all of them
		while kill -0 -- "-$pid"; do sleep 0.05; done
	} 2>/dev/null
	unset "lab_pid[$1]" "lab_dog[$1]"
}

# A guest asks for its own power cut by the file cut (guest.sh power_cut).
lab_wait()
{
	local name=$1 dir=$LAB_WORK/$1 pid=${lab_pid[$1]} show=

	if [ "${2:-}" != quiet ]; then
		tail -s 0.1 -f --pid="$pid" -n +1 "$dir/console" 2>/dev/null |
			sed -u "1,/^LAB-START/d; /^LAB-END/,\$d; s/\r\$//${LAB_PREFIX:+; s/^/$name: /}" &
		show=$!
	fi
	while kill -0 "$pid" 2>/dev/null; do
		if [ -e "$dir/cut" ]; then
			lab_cut "$name"
			[ -n "$show" ] && wait "$show"
			lab_reboot "$name"
			lab_wait "$@"
			return
		fi
		sleep 0.1
	done
	lab_cut "$name"
	[ -n "$show" ] && wait "$show"
	lab_verdict "$name"
}

lab_verdict()
{
	local dir=$LAB_WORK/$1

	if [ -e "$dir/status" ]; then
		return "$(cat "$dir/status")"
	elif [ -e "$dir/timeout" ]; then
		echo "lab: $1 ran out of time"
		return 124
	fi
	echo "lab: $1 died; its console:"
	cat "$dir/console"
	return 125
}

lab_await()
{
	local i

	for ((i = 0; i < $2 * 10; i++)); do
		[ -e "$LAB_SHARED/$1" ] && return 0
		sleep 0.1
	done
	echo "lab: no $1 within $2 s"
	return 1
}
