# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The lab's guest side: what a test script uses. Sourced first: . "$LAB_LIB/guest.sh"
# The same script runs in a guest or, in native mode, on devices of a real machine.
#
# Given by the runner: LAB_DISKS (and DISK1 DISK2 ...), LAB_SHARED (folder seen by the host and all
# guests), LAB_BOOT (1, 2 ... after power cuts), LAB_MODE (guest | native), LAB_BUILD
# (the build directory: unit tests, tools), SRSYNC, SRSYNC_FAULT_BIN.
# LAB_RUN is a scratch folder that a reboot empties.

LAB_RUN=${LAB_RUN:-/run/lab}
export LVM_SYSTEM_DIR=$LAB_RUN/lvm
mkdir -p "$LVM_SYSTEM_DIR"
lab_passed=0 lab_failed=0
declare -A lab_serving=() # host -> process id of its srsync serve
declare -A lab_uts=()     # host -> its namespace of host names
lab_i=0
for lab_disk in $LAB_DISKS; do
	lab_i=$((lab_i + 1))
	declare "DISK$lab_i=$lab_disk"
done

# --- results ---------------------------------------------------------------------------------

# ok WHAT COMMAND...: the command must succeed. fails STATUS WHAT COMMAND...: it must end with STATUS.
ok()
{
	fails 0 "$@"
}

fails()
{
	local want=$1 what=$2 got

	shift 2
	"$@"
	got=$?
	if [ "$got" = "$want" ]; then
		lab_passed=$((lab_passed + 1))
		echo "ok: $what"
		return 0
	fi
	lab_failed=$((lab_failed + 1))
	echo "NOT OK: $what: status $got, not $want, of: $*"
	return 1
}

# must WHAT COMMAND...: as ok, but the rest makes no sense without it
must()
{
	ok "$@" || exit 1
}

skip()
{
	echo "SKIP: $*"
	exit 77
}

need() # COMMAND...
{
	local c

	for c; do
		command -v "$c" >/dev/null || skip "$c is missing"
	done
}

need_module()
{
	local m

	for m; do
		modprobe -q "$m" || skip "this kernel has no $m"
	done
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for()
{
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# The script's last words; a script that checked nothing has failed.
lab_finish()
{
	local status=$?

	trap - EXIT
	lab_stop_all
	[ "$LAB_MODE" = native ] && native_clean
	if [ "$status" = 0 ]; then
		[ "$lab_failed" = 0 ] && [ "$lab_passed" -gt 0 ] || status=1
	fi
	[ "$status" = 77 ] || echo "lab: $lab_passed ok, $lab_failed not ok, status $status"
	exit "$status"
}
trap lab_finish EXIT
trap 'exit 143' TERM INT

# Everything this script made on a real machine: mounts, groups, namespaces.
native_clean()
{
	local vg h

	findmnt -rno TARGET | grep "^$LAB_RUN/" | sort -r | while read -r h; do umount "$h"; done
	vgs --noheadings -o vg_name | while read -r vg; do vgchange -q -an "$vg"; done
	for h in "${!lab_uts[@]}"; do
		ip netns del "$(lab_ns "$h")"
		umount "${lab_uts[$h]}"
	done
	# shellcheck disable=SC2086 # a list of devices
	wipefs -aq $LAB_DISKS
} 2>/dev/null

# --- power and other guests ------------------------------------------------------------------

# The whole machine loses power and boots again with the same disks; SCRIPT starts anew, LAB_BOOT
# one higher. What runs in the background runs on until the cut.
power_cut()
{
	[ "$LAB_MODE" = guest ] || skip "no power cut on a real machine"
	: >"$LAB/cut"
	while :; do sleep 1; done
}

# tell FILE [TEXT] / hear FILE SECONDS: files between guests, whole or not there
tell()
{
	printf '%s\n' "${2:-}" >"$LAB_SHARED/.$1"
	sync "$LAB_SHARED/.$1"
	mv "$LAB_SHARED/.$1" "$LAB_SHARED/$1"
}

hear()
{
	wait_for "$2" test -e "$LAB_SHARED/$1" && cat "$LAB_SHARED/$1"
}

# --- LVM ---------------------------------------------------------------------------------------

# lvm_devices DIR DEVICE...: an LVM configuration that sees these devices and no others
lvm_devices()
{
	local dir=$1 filter='' udev=0 d

	shift
	for d; do
		filter+="\"a|^$d\$|\", "
	done
	[ -e /run/udev/control ] && udev=1
	mkdir -p "$dir"
	cat >"$dir/lvm.conf" <<-END
		devices {
			use_devicesfile = 0
			obtain_device_list_from_udev = 0
			external_device_info_source = "none"
			global_filter = [ $filter"r|.*|" ]
		}
		activation {
			udev_sync = $udev udev_rules = $udev monitoring = 0
			reserved_memory = 64 reserved_stack = 16 # every page costs a guest time
		}
		backup { backup = 0 archive = 0 }
	END
}

# The devices that hold physical volumes: the disks, unless log_writes put something above one.
lab_pvs=" $LAB_DISKS "
lab_pvs_changed()
{
	# shellcheck disable=SC2086 # a list of devices
	lvm_devices "$LVM_SYSTEM_DIR" $lab_pvs
}
lab_pvs_changed

make_vg() # VG DEVICE...
{
	local vg=$1

	shift
	if dmsetup ls 2>/dev/null | grep -q "^$vg-"; then
		echo "device-mapper has devices of a group $vg already"
		return 1
	fi
	vgcreate -qff -y "$vg" "$@" >/dev/null # makes the physical volumes, too
}

make_pool() # VG SIZE [lvcreate words]: the thin pool VG/pool
{
	local vg=$1 size=$2

	shift 2
	lvcreate -q -y -L "$size" -T "$vg/pool" "$@" >/dev/null
}

make_pool_and_volume() # VG POOL_SIZE NAME SIZE: both in one step
{
	lvcreate -q -y -L "$2" -T "$1/pool" -V "$4" -n "$3" >/dev/null
}

make_volume() # VG NAME SIZE [lvcreate words]: a thin volume
{
	local vg=$1 name=$2 size=$3

	shift 3
	lvcreate -q -y -V "$size" -T "$vg/pool" -n "$name" "$@" >/dev/null
}

make_thick() # VG NAME SIZE
{
	lvcreate -q -y -Wn -L "$3" -n "$2" "$1" >/dev/null
}

lab_active()
{
	[ "$(lvs --noheadings -o lv_active "$1" | tr -d ' ')" = active ]
}

# same LV LV [BYTES]: equal size (or the first BYTES) and equal bytes, read below the page cache.
# An inactive one, also one with the skip flag, is activated for the time. An absolute path: a file. The
# load of fsync_load waits meanwhile, since a guest has one processor.
same()
{
	local status

	[ -z "${lab_load:-}" ] || kill -STOP "$lab_load"
	lab_same "$@"
	status=$?
	[ -z "${lab_load:-}" ] || kill -CONT "$lab_load"
	return $status
}

lab_same()
{
	local lv size=() path=() asleep=() status

	for lv in "$1" "$2"; do
		[ -f "$lv" ] || [ -e "/dev/$lv" ] || asleep+=("$lv")
	done
	[ ${#asleep[@]} = 0 ] || lvchange -q -ay -K "${asleep[@]}" || return 2
	for lv in "$1" "$2"; do
		if [ -f "$lv" ]; then
			path+=("$lv") size+=("$(stat -c %s "$lv")")
			sync "$lv"
			dd if="$lv" iflag=nocache count=0 status=none # drops its pages
		else
			path+=("/dev/$lv") size+=("$(blockdev --getsize64 --flushbufs "/dev/$lv")")
		fi
	done
	if [ -z "${3:-}" ] && [ "${size[0]}" != "${size[1]}" ]; then
		echo "sizes differ: $1 ${size[0]}, $2 ${size[1]}"
		status=1
	else
		cmp -n "${3:-${size[0]}}" "${path[0]}" "${path[1]}"
		status=$?
	fi
	[ ${#asleep[@]} = 0 ] || lvchange -q -an "${asleep[@]}"
	return "$status"
}

scribble() # FILE OFFSET_KIB LENGTH_KIB: random bytes there, durable
{
	dd if=/dev/urandom of="$1" bs=1K seek="$2" count="$3" conv=notrunc,fsync status=none
}

# fsync_load FILE...: in the background, counter after counter written to every FILE in turn, each
# durable before the next (load.c). The last counter durable in all: load_acked. The files are made
# first; a block device is used from its start.
fsync_load()
{
	nice "$LAB_BUILD/lab-load" run "$LAB_SHARED/acked" "$@" & # the guest has one processor
	lab_load=$!
	wait_for 10 test -s "$LAB_SHARED/acked"
}

load_acked()
{
	local n

	n=$(cat "$LAB_SHARED/acked") && echo $((n))
}

load_reaches() # COUNTER: for wait_for
{
	[ "$(load_acked)" -ge "$1" ]
}

load_stop() # fails if it had stopped by itself, which it does on an error
{
	kill "$lab_load" || return 1
	wait "$lab_load"
	lab_load=
}

# load_check LEAST FILE...: every file holds an unbroken run of whole records, none is ahead of the
# one before it or more than one behind the first, all are at least at LEAST; prints the counter of the last file.
load_check()
{
	"$LAB_BUILD/lab-load" check "$@"
}

# --- loss of unflushed writes ------------------------------------------------------------------

# log_writes NAME DISK LOGDISK: all writes to /dev/mapper/NAME go to DISK and into the log.
log_writes()
{
	need_module dm-log-writes
	dmsetup create "$1" --table "0 $(blockdev --getsz "$2") log-writes $2 $3" || return 1
	lab_pvs=${lab_pvs/ $2 / /dev/mapper/$1 }
	lab_pvs=${lab_pvs/ $3 / }
	lab_pvs_changed
}

log_mark() # NAME TEXT: a mark in the log, found again by log_list
{
	dmsetup message "$1" 0 mark "$2"
}

log_end() # NAME DISK: stop logging
{
	dmsetup remove "$1"
	lab_pvs=${lab_pvs/ \/dev\/mapper\/$1 / $2 }
	lab_pvs_changed
}

log_list() # LOGDISK: marks as "mark INDEX TEXT", then "entries N ..."
{
	"$LAB_BUILD/lab-replay" list "$1"
}

# log_replay LOGDISK TARGET N SEED: TARGET as power loss after N entries leaves it: of the writes
# since the last flush each survives or not, by SEED (replay.c). TARGET is emptied first.
log_replay()
{
	blkdiscard -fz "$2" 2>/dev/null && "$LAB_BUILD/lab-replay" replay "$@"
}

. "$LAB_LIB/hosts.sh"
