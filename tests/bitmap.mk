# tests of bitmap
check_PROGRAMS += unit-bset
unit_bset_SOURCES = tests/unit/unit-bset.c
unit_bset_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_bset_LDADD = $(BITMAP_LIBS) $(CHECK_LIBS)
TESTS += unit-bset

# both bring a fault() of their own
check_PROGRAMS += unit-bitlog unit-bitlog-model
unit_bitlog_SOURCES = tests/unit/unit-bitlog.c tests/unit/bitlog-tools.c tests/unit/bitlog-tools.h
unit_bitlog_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS) $(XXHASH_CFLAGS) \
	-DTOP_SRCDIR='"$(abs_top_srcdir)"'
unit_bitlog_LDADD = $(BITMAP_LIBS) $(CHECK_LIBS)
unit_bitlog_model_SOURCES = tests/unit/unit-bitlog-model.c tests/unit/bitlog-tools.c \
	tests/unit/bitlog-tools.h
unit_bitlog_model_CPPFLAGS = $(unit_bitlog_CPPFLAGS)
unit_bitlog_model_LDADD = $(unit_bitlog_LDADD)
TESTS += unit-bitlog unit-bitlog-model

THIN_IMAGE = tests/unit/thin_image.c tests/unit/thin_image.h tests/unit/thin_image_write.c \
	tests/unit/thin_node.c tests/unit/thin_node.h
check_PROGRAMS += unit-thin unit-thin-live
unit_thin_SOURCES = tests/unit/unit-thin.c $(THIN_IMAGE)
unit_thin_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_thin_LDADD = $(BITMAP_LIBS) $(CHECK_LIBS)
unit_thin_live_SOURCES = tests/unit/unit-thin-live.c $(THIN_IMAGE)
unit_thin_live_CPPFLAGS = $(unit_thin_CPPFLAGS)
unit_thin_live_LDADD = $(unit_thin_LDADD)
TESTS += unit-thin unit-thin-live

check_PROGRAMS += fuzz-thin
fuzz_thin_SOURCES = tests/fuzz/fuzz-thin.c tests/fuzz/replay.c $(THIN_IMAGE)
fuzz_thin_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(TEST_CPPFLAGS)
fuzz_thin_LDADD = $(BITMAP_LIBS)
TESTS += tests/fuzz/fuzz-thin.sh
EXTRA_DIST += tests/fuzz/fuzz-thin.sh tests/fuzz/corpus/thin

# thin-pool writes large pools for the comparison with thin_delta and for the bench
check_PROGRAMS += thin-pool measure
thin_pool_SOURCES = tests/bench/thin-pool.c $(THIN_IMAGE)
thin_pool_CPPFLAGS = $(TEST_CPPFLAGS)
measure_SOURCES = tests/bench/measure.c
TESTS += tests/changes.sh tests/thin-delta.sh tests/lab/changes.lab
BENCH += tests/bench/changes.sh
EXTRA_DIST += tests/changes.sh tests/thin-delta.sh tests/lab/changes.lab tests/bench/changes.sh

check_PROGRAMS += unit-fiemap fuzz-fiemap
unit_fiemap_SOURCES = tests/unit/unit-fiemap.c
unit_fiemap_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_fiemap_LDADD = $(BITMAP_LIBS) $(CHECK_LIBS)
fuzz_fiemap_SOURCES = tests/fuzz/fuzz-fiemap.c tests/fuzz/replay.c
fuzz_fiemap_CPPFLAGS = $(libbitmap_a_CPPFLAGS)
fuzz_fiemap_LDADD = $(BITMAP_LIBS)
TESTS += unit-fiemap tests/fuzz/fuzz-fiemap.sh
EXTRA_DIST += tests/fuzz/fuzz-fiemap.sh tests/fuzz/corpus/fiemap

check_PROGRAMS += fuzz-bset fuzz-bitlog
fuzz_bset_SOURCES = tests/fuzz/fuzz-bset.c tests/fuzz/replay.c
fuzz_bset_CPPFLAGS = $(libbitmap_a_CPPFLAGS)
fuzz_bset_LDADD = $(BITMAP_LIBS)
fuzz_bitlog_SOURCES = tests/fuzz/fuzz-bitlog.c tests/fuzz/replay.c
fuzz_bitlog_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(XXHASH_CFLAGS)
fuzz_bitlog_LDADD = $(BITMAP_LIBS)
TESTS += tests/fuzz/fuzz-bset.sh tests/fuzz/fuzz-bitlog.sh
EXTRA_DIST += tests/fuzz/fuzz-bset.sh tests/fuzz/corpus/bset \
	tests/fuzz/fuzz-bitlog.sh tests/fuzz/corpus/bitlog

ERA_IMAGE = tests/unit/era_image.c tests/unit/era_image.h tests/unit/thin_node.c \
	tests/unit/thin_node.h tests/unit/thin_image.h
check_PROGRAMS += unit-era fuzz-era
unit_era_SOURCES = tests/unit/unit-era.c $(ERA_IMAGE)
unit_era_CPPFLAGS = $(unit_thin_CPPFLAGS)
unit_era_LDADD = $(unit_thin_LDADD)
fuzz_era_SOURCES = tests/fuzz/fuzz-era.c tests/fuzz/replay.c $(ERA_IMAGE)
fuzz_era_CPPFLAGS = $(fuzz_thin_CPPFLAGS)
fuzz_era_LDADD = $(BITMAP_LIBS)
TESTS += unit-era tests/fuzz/fuzz-era.sh
EXTRA_DIST += tests/fuzz/fuzz-era.sh tests/fuzz/corpus/era

SNAPCOW_IMAGE = tests/unit/snapcow_image.c tests/unit/snapcow_image.h
check_PROGRAMS += unit-snapcow fuzz-snapcow
unit_snapcow_SOURCES = tests/unit/unit-snapcow.c $(SNAPCOW_IMAGE)
unit_snapcow_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_snapcow_LDADD = $(BITMAP_LIBS) $(CHECK_LIBS)
fuzz_snapcow_SOURCES = tests/fuzz/fuzz-snapcow.c tests/fuzz/replay.c $(SNAPCOW_IMAGE)
fuzz_snapcow_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(TEST_CPPFLAGS)
fuzz_snapcow_LDADD = $(BITMAP_LIBS)
TESTS += unit-snapcow tests/fuzz/fuzz-snapcow.sh
EXTRA_DIST += tests/fuzz/fuzz-snapcow.sh tests/fuzz/corpus/snapcow
