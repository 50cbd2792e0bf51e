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

# two hosts in the lab
REPL_LAB = tests/repl/sync.lab tests/repl/crash-source.lab tests/repl/crash-target.lab \
	tests/repl/resume.lab tests/repl/away.lab tests/repl/refuse.lab tests/repl/doubt.lab \
	tests/repl/busy.lab tests/repl/run.lab tests/repl/carry.lab tests/repl/full.lab \
	tests/repl/power.lab tests/repl/loss-target.lab tests/repl/plain.lab tests/repl/plain-doubt.lab tests/repl/plain-crash.lab
TESTS += $(REPL_LAB)
EXTRA_DIST += $(REPL_LAB) tests/repl/setup.sh

BENCH += tests/bench/first-sync.lab
EXTRA_DIST += tests/bench/first-sync.lab

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

ERA_TESTS = \
	tests/repl/era.lab \
	tests/repl/era-doubt.lab \
	tests/repl/era-power.lab \
	tests/repl/era-thick.lab
TESTS += $(ERA_TESTS)
EXTRA_DIST += $(ERA_TESTS) tests/repl/era-setup.sh
