# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Native mode of tests/lab/run: the test script on devices of this machine, which it erases. LVM gets
# a configuration that sees these devices only, so no other volume group can be touched.

native_refuse()
{
	echo "lab: $*" >&2
	exit 99
}

# the wanted disks, from the runner's -d words, against the devices there are
native_disks() # SIZE...
{
	local device size

	for size; do
		device=${spare%% *}
		[ -n "$device" ] || lab_skip "the test wants $# devices: SRSYNC_TEST_DEVICES names fewer"
		spare=${spare#"$device"}
		spare=${spare# }
		case $size in */*) lab_skip "the test wants a prepared image" ;; esac
		[ "$(blockdev --getsize64 "$device")" -ge "$(numfmt --from=iec "$size")" ] ||
			lab_skip "$device has less than $size"
		# refuses a device in use: it is opened exclusively
		wipefs -aq "$device" || native_refuse "$device is in use"
		LAB_DISKS+="${LAB_DISKS:+ }$device"
	done
}

native() # [-d SIZE | -m MEM | -t SECONDS | -e NAME=VALUE]... -- SCRIPT ARG...
{
	local opt limit=120 sizes=() spare=$SRSYNC_TEST_DEVICES

	[ "${SRSYNC_TEST_DEVICES_ERASE:-}" = yes ] ||
		native_refuse "the test erases $spare: say so with SRSYNC_TEST_DEVICES_ERASE=yes"
	[ "$(id -u)" = 0 ] || native_refuse "SRSYNC_TEST_DEVICES needs root"
	while getopts m:t:d:e:a: opt; do
		case $opt in
		t) limit=$OPTARG ;;
		d) sizes+=("$OPTARG") ;;
		e) export "${OPTARG?}" ;;
		a) lab_skip "the test wants a network of guests" ;;
		m) ;; # the memory of this machine
		*) exit 99 ;;
		esac
	done
	shift $((OPTIND - 1))
	exec 9>"$(dirname "$LAB_WORK")/lock"
	flock 9 # one test at a time: they share the devices
	LAB_DISKS=
	native_disks "${sizes[@]}"
	modprobe -a dm-mod dm-thin-pool dm-snapshot 2>/dev/null
	mkdir "$LAB_WORK/run"
	export LAB_DISKS LAB_SHARED LAB_WORK LAB_BUILD SRSYNC SRSYNC_FAULT_BIN
	export LAB=$LAB_WORK LAB_RUN=$LAB_WORK/run LAB_LIB=$lab_here LAB_MODE=native LAB_BOOT=1
	export LAB_NAME=native LAB_ADDRESS='' LAB_NSTAG=-$$
	timeout -k 20 "$((limit * ${LAB_SLOW:-1}))" bash "$@" </dev/null
}
