# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Two hosts in one kernel: a network namespace, a host name, a folder of settings and state and an
# LVM that sees its own disks, for each. Part of guest.sh.
#
#   hosts [DISKS_OF_A [DISKS_OF_B]]   make A (10.99.0.1) and B (10.99.0.2) and the cable between
#   on A COMMAND...     run it as host A          host A WORD...   run srsync WORD... as host A
#   start_serve A [WORD...]   stop_serve A        link A up|down   the cable
#   state_on DISK     before hosts: settings and state of both outlive the power, on this disk
#   faulty A POINT[:N] WORD...   run srsync WORD..., which kills itself there (status 137)
#   netem A [WORD...]   a bad link
#   reaches A ADDRESS   does anything answer there?
#   pair NAME SRC DST [WORD...]   grants both ways and a partnership from A to B

LAB_PORT=8730
LAB_STATE=$LAB_RUN

address()
{
	case $1 in A) echo 10.99.0.1 ;; B) echo 10.99.0.2 ;; esac
}

lab_ns()
{
	echo "lab$1${LAB_NSTAG:-}"
}

make_host() # HOST DEVICE...
{
	local h=$1 dir=$LAB_RUN/$1

	shift
	mkdir -p "$dir" "$LAB_STATE/$h/etc" "$LAB_STATE/$h/var"
	ip netns add "$(lab_ns "$h")" && ip -n "$(lab_ns "$h")" link set lo up || return 1
	: >"$dir/uts"
	unshare --uts="$dir/uts" hostname "host${h,,}" || return 1
	lab_uts[$h]=$dir/uts
	lvm_devices "$dir/lvm" "$@"
}

state_on()
{
	[ "$LAB_BOOT" != 1 ] || mkfs.ext4 -q "$1" || return 1
	lab_pvs=${lab_pvs/ $1 / }
	lab_pvs_changed
	LAB_STATE=$LAB_RUN/state
	mkdir -p "$LAB_STATE"
	mount "$1" "$LAB_STATE"
}

hosts()
{
	local a b

	# shellcheck disable=SC2086 # lists of devices
	set -- ${1:-$(lab_pv 1)} -- ${2:-$(lab_pv 2)}
	a=() b=()
	while [ "$1" != -- ]; do a+=("$1") && shift; done
	shift
	b=("$@")
	need_module veth
	make_host A "${a[@]}" && make_host B "${b[@]}" || return 1
	ip -n "$(lab_ns A)" link add eth0 type veth peer name eth0 netns "$(lab_ns B)" || return 1
	for h in A B; do
		ip -n "$(lab_ns "$h")" addr add "$(address "$h")/24" dev eth0
		ip -n "$(lab_ns "$h")" link set eth0 up
	done
}

lab_pv() # N: the N-th device that holds a physical volume
{
	# shellcheck disable=SC2086
	set -- "$1" $lab_pvs
	shift "$1"
	echo "$1"
}

# become HOST COMMAND...: this process runs COMMAND as HOST; in the background its id is COMMAND's
become()
{
	local h=$1

	shift
	# The mount namespace stays the common one: a volume that srsync mounts is seen by the test.
	export SRSYNC_CONFDIR=$LAB_STATE/$h/etc SRSYNC_STATEDIR=$LAB_STATE/$h/var LVM_SYSTEM_DIR=$LAB_RUN/$h/lvm
	exec nsenter "--net=/run/netns/lab$h${LAB_NSTAG:-}" "--uts=${lab_uts[$h]}" -- "$@"
}

on()
{
	(become "$@")
}

host()
{
	local h=$1

	shift
	on "$h" "$SRSYNC" "$@"
}

faulty()
{
	local h=$1 point=$2

	shift 2
	on "$h" env "SRSYNC_FAULT=$point" "$SRSYNC_FAULT_BIN" "$@"
}

link()
{
	ip -n "$(lab_ns "$1")" link set eth0 "$2"
}

# A refused connection is an answer.
reaches() # HOST ADDRESS
{
	on "$1" timeout 3 bash -c ": </dev/tcp/$2/9" 2>&1 | grep -q refused
}

# netem HOST [WORD...]: tc-netem(8) on what HOST sends; without words none
netem()
{
	local ns

	ns=$(lab_ns "$1")
	shift
	need_module sch_netem
	if [ $# = 0 ]; then
		ip netns exec "$ns" tc qdisc del dev eth0 root
	else
		ip netns exec "$ns" tc qdisc replace dev eth0 root netem limit 10000 "$@"
	fi
}

lab_answers()
{
	on "$1" bash -c "exec 3<>/dev/tcp/$(address "$1")/$LAB_PORT" 2>/dev/null
}

# SERVE is the program to use, by default srsync; srsync-fault for a fault point
start_serve()
{
	local h=$1

	shift
	become "$h" "${SERVE:-$SRSYNC}" serve --listen "$(address "$h"):$LAB_PORT" "$@" &
	lab_serving[$h]=$!
	wait_for 15 lab_answers "$h"
}

stop_serve()
{
	local pid=${lab_serving[$1]:-} status

	[ -n "$pid" ] || return 0
	unset "lab_serving[$1]"
	kill "${2:--TERM}" "$pid"
	wait "$pid"
	status=$?
	[ "$status" = 0 ] || [ "${2:-}" = -KILL ]
}

fingerprint()
{
	host "$1" id --json | sed -n 's/.*"fingerprint": *"\([^"]*\)".*/\1/p'
}

# introduce HOST OTHER [ROLE]: HOST grants OTHER
introduce()
{
	host "$1" grant "$(fingerprint "$2")" --name "host${2,,}" --role "${3:-manage}"
}

# pair NAME SRC DST [WORD...]: SRC on A to DST on B; more volumes by --volume SRC=DST
pair()
{
	local name=$1 src=$2 dst=$3

	shift 3
	introduce A B && introduce B A &&
		host A create "$name" --peer "$(address B):$LAB_PORT" --fingerprint "$(fingerprint B)" \
			--volume "$src=$dst" "$@"
}

lab_stop_all()
{
	local h

	for h in "${!lab_serving[@]}"; do
		kill -KILL "${lab_serving[$h]}"
		wait "${lab_serving[$h]}" 2>/dev/null
	done
	[ -n "${lab_load:-}" ] && kill "$lab_load" 2>/dev/null
}
