# repl: replication itself: cut, ship, apply, partnership, roles
noinst_LIBRARIES += librepl.a
librepl_a_CPPFLAGS = $(libvolume_a_CPPFLAGS) -I$(srcdir)/transport -I$(srcdir)/src/repl
librepl_a_CFLAGS = $(BASE_CFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS) $(ZSTD_CFLAGS) $(XXHASH_CFLAGS) $(URING_CFLAGS)
librepl_a_SOURCES =
librepl_a_SOURCES += \
	src/repl/apply.c src/repl/apply.h \
	src/repl/manifest.c src/repl/manifest.h \
	src/repl/pipeline.c src/repl/pipeline.h \
	src/repl/pipeline_read.c src/repl/pipeline_run.h \
	src/repl/plan.c src/repl/plan.h \
	src/repl/segment.c src/repl/segment.h \
	src/repl/segment_pack.c src/repl/segment_pack.h \
	src/repl/stream.c src/repl/stream.h
librepl_a_SOURCES += \
	src/repl/api.c src/repl/api.h \
	src/repl/compare.c src/repl/compare.h \
	src/repl/compare_peer.c src/repl/compare_peer.h \
	src/repl/compared.c src/repl/compared.h \
	src/repl/durable.c src/repl/durable.h \
	src/repl/hooks.c src/repl/hooks.h src/repl/hooks_run.c src/repl/hooks_run.h \
	src/repl/fine.c src/repl/fine.h \
	src/repl/hasher.c src/repl/hasher.h \
	src/repl/hashes.c src/repl/hashes.h \
	src/repl/hashtree.c src/repl/hashtree.h \
	src/repl/grain.c src/repl/grain.h \
	src/repl/host.c src/repl/host.h \
	src/repl/pace.c src/repl/pace.h \
	src/repl/partnership.c src/repl/partnership.h \
	src/repl/peers.c src/repl/peers.h \
	src/repl/receive.c src/repl/receive.h \
	src/repl/received.c src/repl/received.h \
	src/repl/redo.c src/repl/redo.h src/repl/redo_finish.c \
	src/repl/redo_place.c src/repl/redo_place.h \
	src/repl/spool.c src/repl/spool.h \
	src/repl/spool_log.c src/repl/spool_log.h \
	src/repl/refine.c src/repl/refine.h \
	src/repl/remote.c src/repl/remote.h \
	src/repl/replica.c src/repl/replica.h \
	src/repl/replica_commit.c src/repl/replica_commit.h \
	src/repl/replica_hash.c src/repl/replica_hash.h \
	src/repl/report.c src/repl/report.h \
	src/repl/run.c src/repl/run.h \
	src/repl/serve.c src/repl/serve.h \
	src/repl/session.c src/repl/session.h \
	src/repl/setup.c src/repl/setup.h \
	src/repl/ship.c src/repl/ship.h \
	src/repl/source.c src/repl/source.h \
	src/repl/state.c src/repl/state.h \
	src/repl/status.c src/repl/status.h \
	src/repl/stop.c src/repl/stop.h \
	src/repl/sync.c src/repl/sync.h \
	src/repl/target.c src/repl/target.h \
	src/repl/verify.c src/repl/verify.h \
	src/repl/watch.c src/repl/watch.h
REPL_LIBS = librepl.a $(VOLUME_LIBS) $(TRANSPORT_LIBS) $(ZSTD_LIBS)
