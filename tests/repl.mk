# tests of repl

check_PROGRAMS += unit-pace
unit_pace_SOURCES = tests/unit/unit-pace.c
unit_pace_CPPFLAGS = $(librepl_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_pace_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-pace

check_PROGRAMS += unit-durable
unit_durable_SOURCES = tests/unit/unit-durable.c
unit_durable_CPPFLAGS = $(librepl_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_durable_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-durable

check_PROGRAMS += unit-received
unit_received_SOURCES = tests/unit/unit-received.c
unit_received_CPPFLAGS = $(librepl_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_received_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-received

check_PROGRAMS += unit-hooks
unit_hooks_SOURCES = tests/unit/unit-hooks.c
unit_hooks_CPPFLAGS = $(librepl_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_hooks_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-hooks

TESTS += tests/hooks.sh
EXTRA_DIST += tests/hooks.sh

# two hosts in the lab
REPL_LAB = \
	tests/repl/away.lab \
	tests/repl/busy.lab \
	tests/repl/carry.lab \
	tests/repl/crash-source.lab \
	tests/repl/crash-target.lab \
	tests/repl/damaged.lab \
	tests/repl/doubt.lab \
	tests/repl/era-doubt.lab \
	tests/repl/era-power.lab \
	tests/repl/era-thick.lab \
	tests/repl/era.lab \
	tests/repl/external.lab \
	tests/repl/file-crash.lab \
	tests/repl/file-group.lab \
	tests/repl/file-loss.lab \
	tests/repl/file-power.lab \
	tests/repl/file-refuse.lab \
	tests/repl/files.lab \
	tests/repl/fine.lab \
	tests/repl/full.lab \
	tests/repl/group-crash.lab \
	tests/repl/group-locks.lab \
	tests/repl/group-missing.lab \
	tests/repl/group.lab \
	tests/repl/grow.lab \
	tests/repl/hooks.lab \
	tests/repl/loss-target.lab \
	tests/repl/matrix.lab \
	tests/repl/plain-crash.lab \
	tests/repl/plain-doubt.lab \
	tests/repl/plain.lab \
	tests/repl/power.lab \
	tests/repl/redo-crash.lab \
	tests/repl/redo-log-crash.lab \
	tests/repl/redo-log.lab \
	tests/repl/redo-power.lab \
	tests/repl/redo-refuse.lab \
	tests/repl/redo-verify.lab \
	tests/repl/redo.lab \
	tests/repl/refuse.lab \
	tests/repl/resume.lab \
	tests/repl/rewind-power.lab \
	tests/repl/run.lab \
	tests/repl/seeded.lab \
	tests/repl/sync.lab \
	tests/repl/verify-run.lab \
	tests/repl/verify.lab
TESTS += $(REPL_LAB)
EXTRA_DIST += $(REPL_LAB) tests/repl/era-setup.sh tests/repl/files.sh tests/repl/group.sh \
	tests/repl/redo-log.sh tests/repl/redo.sh tests/repl/setup.sh
check_PROGRAMS += unit-spool
unit_spool_SOURCES = tests/unit/unit-spool.c
unit_spool_CPPFLAGS = $(librepl_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_spool_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-spool

# two hosts in the lab

BENCH += tests/bench/first-sync.lab
EXTRA_DIST += tests/bench/first-sync.lab

check_PROGRAMS += scatter
scatter_SOURCES = tests/bench/scatter.c
BENCH += tests/bench/file-sync.sh
EXTRA_DIST += tests/bench/file-sync.sh

# the data plane: a fake volume over an image file stands for the layer below
FAKE_VOLUME = tests/unit/fake_volume.c tests/unit/fake_volume.h

check_PROGRAMS += unit-aio
unit_aio_SOURCES = tests/unit/unit-aio.c
unit_aio_CPPFLAGS = $(libbase_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_aio_LDADD = $(BASE_LIBS) $(CHECK_LIBS)
TESTS += unit-aio

check_PROGRAMS += unit-segment
unit_segment_SOURCES = tests/unit/unit-segment.c $(FAKE_VOLUME)
unit_segment_CPPFLAGS = $(librepl_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_segment_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-segment

check_PROGRAMS += unit-plan
unit_plan_SOURCES = tests/unit/unit-plan.c $(FAKE_VOLUME)
unit_plan_CPPFLAGS = $(librepl_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_plan_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-plan

check_PROGRAMS += unit-fine
unit_fine_SOURCES = tests/unit/unit-fine.c $(FAKE_VOLUME)
unit_fine_CPPFLAGS = $(librepl_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_fine_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-fine

check_PROGRAMS += unit-pipeline
unit_pipeline_SOURCES = tests/unit/unit-pipeline.c $(FAKE_VOLUME)
unit_pipeline_CPPFLAGS = $(librepl_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_pipeline_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-pipeline

check_PROGRAMS += unit-apply
unit_apply_SOURCES = tests/unit/unit-apply.c $(FAKE_VOLUME)
unit_apply_CPPFLAGS = $(librepl_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_apply_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-apply

check_PROGRAMS += unit-stream
unit_stream_SOURCES = tests/unit/unit-stream.c $(FAKE_VOLUME)
unit_stream_CPPFLAGS = $(librepl_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_stream_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-stream

check_PROGRAMS += fuzz-manifest fuzz-segment fuzz-stream
fuzz_manifest_SOURCES = tests/fuzz/fuzz-manifest.c tests/fuzz/replay.c
fuzz_manifest_CPPFLAGS = $(librepl_a_CPPFLAGS)
fuzz_manifest_LDADD = $(REPL_LIBS)
fuzz_segment_SOURCES = tests/fuzz/fuzz-segment.c tests/fuzz/replay.c
fuzz_segment_CPPFLAGS = $(librepl_a_CPPFLAGS)
fuzz_segment_LDADD = $(REPL_LIBS)
fuzz_stream_SOURCES = tests/fuzz/fuzz-stream.c tests/fuzz/replay.c
fuzz_stream_CPPFLAGS = $(librepl_a_CPPFLAGS)
fuzz_stream_LDADD = $(REPL_LIBS)
TESTS += tests/fuzz/fuzz-manifest.sh tests/fuzz/fuzz-segment.sh tests/fuzz/fuzz-stream.sh
EXTRA_DIST += tests/fuzz/fuzz-manifest.sh tests/fuzz/corpus/manifest \
	tests/fuzz/fuzz-segment.sh tests/fuzz/corpus/segment \
	tests/fuzz/fuzz-stream.sh tests/fuzz/corpus/stream

# compare by hash
check_PROGRAMS += unit-hashtree unit-compare unit-compared
unit_hashtree_SOURCES = tests/unit/unit-hashtree.c $(FAKE_VOLUME)
unit_hashtree_CPPFLAGS = $(librepl_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_hashtree_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
unit_compare_SOURCES = tests/unit/unit-compare.c $(FAKE_VOLUME)
unit_compare_CPPFLAGS = $(librepl_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_compare_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
unit_compared_SOURCES = tests/unit/unit-compared.c
unit_compared_CPPFLAGS = $(librepl_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_compared_LDADD = $(REPL_LIBS) $(CHECK_LIBS)
TESTS += unit-hashtree unit-compare unit-compared

check_PROGRAMS += fuzz-hashes fuzz-compared
fuzz_compared_SOURCES = tests/fuzz/fuzz-compared.c tests/fuzz/replay.c
fuzz_compared_CPPFLAGS = $(librepl_a_CPPFLAGS)
fuzz_compared_LDADD = $(REPL_LIBS)
fuzz_hashes_SOURCES = tests/fuzz/fuzz-hashes.c tests/fuzz/replay.c
fuzz_hashes_CPPFLAGS = $(librepl_a_CPPFLAGS)
fuzz_hashes_LDADD = $(REPL_LIBS)
TESTS += tests/fuzz/fuzz-hashes.sh tests/fuzz/fuzz-compared.sh
EXTRA_DIST += tests/fuzz/fuzz-hashes.sh tests/fuzz/corpus/hashes \
	tests/fuzz/fuzz-compared.sh tests/fuzz/corpus/compared
ERA_LAB = tests/lab/era-attach.lab tests/lab/era-kill.lab
TESTS += $(ERA_LAB)
EXTRA_DIST += $(ERA_LAB)
