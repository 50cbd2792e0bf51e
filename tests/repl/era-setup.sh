# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Two hosts; A's src/data is under dm-era, thin or thick; its device is $dev, and "web" goes to B.
# Sourced after setup.sh.
dev=/dev/mapper/src-data-era

era_site() # thin|thick SIZE BLOCK
{
	need_module dm-era
	must "two hosts" make_site "$2" 160M
	if [ "$1" = thick ]; then
		lvremove -qq -y src/data src/pool
		must "a thick volume" make_thick src data "$2"
	fi
	must "attach" host A era attach src/data --block "$3"
	must "B serves" start_serve B
	must "a partnership" pair web src/data dst/data
}

set_and_equal() # WHAT
{
	ok "$1: sync" synced
	ok "$1: is a set" grep -q '"compared":0.*"full":false' <<<"$json"
	ok "$1: equal" replica_equals
}

in_doubt() # WHAT
{
	ok "$1: sync" eval 'synced 2>"$LAB_RUN/said"'
	cat "$LAB_RUN/said"
	ok "$1: it says why" grep -q everything "$LAB_RUN/said"
	ok "$1: the cuts were compared" grep -q '"compared":[1-9]' <<<"$json"
	ok "$1: equal" replica_equals
	scribble $dev 128 8
	ok "$1: the next one is a set" eval "synced && grep -q '\"compared\":0' <<<\"\$json\""
}
