# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of volumes share: a pool in a group vg, and the calls of volume.h as commands.

tool()
{
	"$LAB_BUILD/volume-tool" "$@"
}

pool_with() # POOLSIZE NAME SIZE ...
{
	must "group" make_vg vg "$DISK1"
	must "pool" make_pool vg "$1"
	shift
	while [ $# -gt 0 ]; do
		must "volume $1" make_volume vg "$1" "$2"
		shift 2
	done
}

suspended() # DEVICE
{
	[ "$(dmsetup info -c --noheadings -o suspended "$1")" = Suspended ]
}

resumed()
{
	! suspended "$1"
}

# LVM can do all it ever does with the group, and finds the metadata sound.
lvm_content()
{
	lvs vg >/dev/null && vgchange -q -an vg >/dev/null && lvchange -q -ay vg/pool_tmeta -y &&
		thin_check -q /dev/mapper/vg-pool_tmeta && lvchange -q -an vg/pool_tmeta &&
		vgchange -q -ay vg >/dev/null &&
		for lv in $(lvs --noheadings -o lv_name vg | grep srsync); do
			lvchange -q -ay -K "vg/$lv" && lvchange -q -an "vg/$lv" || return 1
		done
}

bytes_of() # VOLUME TOKEN: their hash
{
	tool read "$1" "$2" | md5sum
}
