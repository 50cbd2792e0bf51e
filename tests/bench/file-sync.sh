#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The whole pipeline on this machine, by image files on XFS over a loop device, both hosts on the loopback
# address, TLS on: a first sync of incompressible data against nbdcopy, rsync and dd in the same run, then an
# increment of 1 % scattered pages against rsync. BENCH_GIB=1 makes it smaller.
. "${srcdir:-.}/tests/functions.sh" || exit 99
[ "$(id -u)" = 0 ] || { echo "SKIP: only root mounts"; exit 77; }
requires mkfs.xfs losetup nbdkit nbdcopy rsync
srsync=${SRSYNC:-./srsync}
scatter_pages=${SCATTER:-./scatter}
gib=${BENCH_GIB:-4}
size=$((gib << 30))
port=${BENCH_PORT:-18730}
missed=0

end() # PID...: processes of ours
{
	kill "$@" 2>/dev/null
	wait "$@" 2>/dev/null
}

seconds() # COMMAND...: how long it takes, in $took; data is on the disk before and after
{
	local start

	sync -f "$tmp/fs"
	echo 1 >/proc/sys/vm/drop_caches
	start=$EPOCHREALTIME
	"$@" || fail "$*"
	took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }')
}

# become NAME COMMAND...: in the background its id is srsync's own
become()
{
	local name=$1

	shift
	exec env SRSYNC_CONFDIR="$tmp/$name/etc" SRSYNC_STATEDIR="$tmp/$name/var" "$srsync" "$@"
}

host()
{
	(become "$@")
}

fingerprint() # NAME
{
	host "$1" id --json | sed 's/.*"fingerprint":"\([^"]*\)".*/\1/'
}

answers() # PORT: somebody listens there, within 10 s
{
	for _ in $(seq 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.1
	done
	fail "nobody listens on port $1"
}

# peak PID: the most memory it has used, MiB; cpu PID: seconds of processor
peak()
{
	awk '/^VmHWM/ { printf "%d", $2 / 1024 }' "/proc/$1/status" 2>/dev/null
}

cpu()
{
	awk '{ printf "%.2f", ($14 + $15) / 100 }' "/proc/$1/stat" 2>/dev/null
}

# wanted WHAT OURS THEIRS RATIO: our rate must be at least RATIO of theirs; both are seconds
wanted()
{
	awk -v what="$1" -v ours="$2" -v theirs="$3" -v ratio="$4" -v mib=$((gib << 10)) 'BEGIN {
		ok = theirs / ours >= ratio
		printf "%-34s srsync %7.2f s  other %7.2f s  %6.2f times its rate, target %5.2f  %s\n",
			what, ours, theirs, theirs / ours, ratio, ok ? "ok" : "MISSED"
		exit !ok }' || missed=1
}

by_dd()
{
	dd if="$tmp/fs/a" of="$tmp/fs/dd" bs=4M iflag=direct oflag=direct conv=fsync status=none
}

by_nbdcopy()
{
	nbdcopy --flush nbd://127.0.0.1:$((port + 1)) nbd://127.0.0.1:$((port + 2))
}

by_rsync() # OPTION
{
	rsync --inplace "$1" --fsync "$tmp/fs/a" "rsync://127.0.0.1:$((port + 3))/to/rsync"
}

by_srsync() # keeps its figures in $memory
{
	local pid

	become a sync web --json >"$tmp/json" &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		memory="source $(cpu $pid) s of processor, $(peak $pid) MiB"
		[ -n "$(peak $pid)" ] && shown=$memory
		sleep 0.2
	done
	wait $pid
}

tools() # starts the others' servers
{
	truncate -s $size "$tmp/fs/nbd"
	nbdkit -f -i 127.0.0.1 -p $((port + 1)) file "$tmp/fs/a" &
	servers=$!
	nbdkit -f -i 127.0.0.1 -p $((port + 2)) file "$tmp/fs/nbd" &
	servers="$servers $!"
	printf 'use chroot = no\n[to]\npath = %s\nread only = no\nuid = 0\ngid = 0\n' "$tmp/fs" >"$tmp/rsyncd.conf"
	rsync --daemon --no-detach --address 127.0.0.1 --port $((port + 3)) --config "$tmp/rsyncd.conf" &
	servers="$servers $!"
	cleanup_fn "end $servers"
	answers $((port + 1))
	answers $((port + 2))
	answers $((port + 3))
}

scatter() # one page in a hundred gets new bytes
{
	local n=$((size / 4096 / 100))

	head -c $((n * 4096)) /dev/urandom >"$tmp/fs/pages"
	"$scatter_pages" "$tmp/fs/pages" "$tmp/fs/a" || fail "scatter"
	rm "$tmp/fs/pages"
}

truncate -s $((size * 6 + (2 << 30))) "$tmp/disk"
mkfs.xfs -q "$tmp/disk"
mkdir "$tmp/fs"
loop=$(losetup --direct-io=on --show -f "$tmp/disk") || fail "losetup"
cleanup_fn "losetup -d $loop"
mount "$loop" "$tmp/fs" || fail "mount"
cleanup_fn "umount $tmp/fs"
head -c $size /dev/urandom >"$tmp/fs/a"
tools
become b serve --listen 127.0.0.1:$port 2>"$tmp/serve" &
serve=$!
cleanup_fn "end $serve"
answers $port
host b grant "$(fingerprint a)" --name a >/dev/null
host a create web --peer 127.0.0.1:$port --fingerprint "$(fingerprint b)" \
	--volume "$tmp/fs/a=$tmp/fs/b" >/dev/null || fail "create"

seconds by_dd; dd_s=$took
rm "$tmp/fs/dd"
seconds by_nbdcopy; nbd_s=$took
rm "$tmp/fs/nbd"
seconds by_rsync --whole-file; rsync_s=$took
seconds by_srsync; ours=$took
wanted "first sync, dd O_DIRECT" "$ours" "$dd_s" 0.6
wanted "first sync, nbdcopy without TLS" "$ours" "$nbd_s" 1
wanted "first sync, rsync without TLS" "$ours" "$rsync_s" 1
echo "$shown; destination $(cpu $serve) s, $(peak $serve) MiB; $(sed 's/.*"wire":\([0-9]*\).*/\1/' "$tmp/json") bytes on the wire of $size"
cmp "$tmp/fs/a" "$tmp/fs/b" || fail "not equal"
scatter
seconds by_rsync --no-whole-file; rsync_s=$took
seconds by_srsync; ours=$took
wanted "1 % of scattered pages, rsync" "$ours" "$rsync_s" 20
echo "$(sed 's/.*"wire":\([0-9]*\).*/\1/' "$tmp/json") bytes on the wire of $((size / 100)) changed"
cmp "$tmp/fs/a" "$tmp/fs/b" || fail "not equal"
exit $missed
