# tests of volume
check_PROGRAMS += unit-lvm unit-thin-token
unit_lvm_SOURCES = tests/unit/unit-lvm.c
unit_lvm_CPPFLAGS = $(libvolume_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_lvm_LDADD = $(VOLUME_LIBS) $(CHECK_LIBS)
unit_thin_token_SOURCES = tests/unit/unit-thin-token.c
unit_thin_token_CPPFLAGS = $(unit_lvm_CPPFLAGS)
unit_thin_token_LDADD = $(unit_lvm_LDADD)
TESTS += unit-lvm unit-thin-token

check_PROGRAMS += unit-plain
unit_plain_SOURCES = tests/unit/unit-plain.c
unit_plain_CPPFLAGS = $(unit_lvm_CPPFLAGS)
unit_plain_LDADD = $(unit_lvm_LDADD)
TESTS += unit-plain

check_PROGRAMS += unit-cut
unit_cut_SOURCES = tests/unit/unit-cut.c
unit_cut_CPPFLAGS = $(unit_lvm_CPPFLAGS)
unit_cut_LDADD = $(unit_lvm_LDADD)
TESTS += unit-cut

check_PROGRAMS += unit-file-token
unit_file_token_SOURCES = tests/unit/unit-file-token.c
unit_file_token_CPPFLAGS = $(unit_lvm_CPPFLAGS)
unit_file_token_LDADD = $(unit_lvm_LDADD)
TESTS += unit-file-token

check_PROGRAMS += fuzz-lvm
fuzz_lvm_SOURCES = tests/fuzz/fuzz-lvm.c tests/fuzz/replay.c
fuzz_lvm_CPPFLAGS = $(libvolume_a_CPPFLAGS)
fuzz_lvm_LDADD = $(VOLUME_LIBS)
TESTS += tests/fuzz/fuzz-lvm.sh
EXTRA_DIST += tests/fuzz/fuzz-lvm.sh tests/fuzz/corpus/lvm

# the calls of volume.h as commands, with live fault points, for guests' scripts
check_PROGRAMS += volume-tool
volume_tool_SOURCES = tests/lab/volume-tool.c src/base/fault_kill.c
volume_tool_CPPFLAGS = $(libvolume_a_CPPFLAGS)
volume_tool_LDADD = $(VOLUME_LIBS)
check_PROGRAMS += unit-raw
unit_raw_SOURCES = tests/unit/unit-raw.c
unit_raw_CPPFLAGS = $(libvolume_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_raw_LDADD = $(VOLUME_LIBS) $(CHECK_LIBS)
TESTS += unit-raw

VOLUME_TESTS = \
	tests/lab/era-kill.lab \
	tests/lab/era-attach.lab \
	tests/lab/volume-chain.lab \
	tests/lab/volume-cut.lab \
	tests/lab/volume-foreign.lab \
	tests/lab/volume-kill.lab \
	tests/lab/volume-map.lab \
	tests/lab/volume-plain.lab \
	tests/lab/volume-settings.lab \
	tests/lab/volume-reader.lab \
	tests/lab/volume-target.lab \
	tests/lab/volume-watchdog.lab
TESTS += $(VOLUME_TESTS)
EXTRA_DIST += $(VOLUME_TESTS) tests/lab/volume-lib.sh

check_PROGRAMS += unit-era-dev
unit_era_dev_SOURCES = tests/unit/unit-era-dev.c
unit_era_dev_CPPFLAGS = $(unit_lvm_CPPFLAGS)
unit_era_dev_LDADD = $(unit_lvm_LDADD)
TESTS += unit-era-dev
