# the kernel lab and the tests that run in it: NAME.lab is a guest's script, run by tests/lab/run
TEST_EXTENSIONS = .sh .lab
LAB_LOG_COMPILER = $(srcdir)/tests/lab/run
SH_LOG_COMPILER = bash
AM_TESTS_ENVIRONMENT = \
	LAB_BUILD='$(abs_builddir)'; SRSYNC='$(abs_builddir)/srsync'; \
	SRSYNC_FAULT_BIN='$(abs_builddir)/srsync-fault'; \
	export LAB_BUILD SRSYNC SRSYNC_FAULT_BIN;

check_PROGRAMS += lab-load lab-replay
lab_load_SOURCES = tests/lab/load.c
lab_load_CPPFLAGS = -I$(srcdir)/src/base
lab_load_LDADD = $(BASE_LIBS)
lab_replay_SOURCES = tests/lab/replay.c
lab_replay_CPPFLAGS = -I$(srcdir)/src/base
lab_replay_LDADD = $(BASE_LIBS)

# the lab tests itself
LAB_SELF = \
	tests/lab/thin.lab \
	tests/lab/hosts.lab \
	tests/lab/reboot.lab \
	tests/lab/loss.lab \
	tests/lab/native.lab \
	tests/lab/units.lab \
	tests/lab/era-boot.lab \
	tests/lab/status.sh \
	tests/lab/disks.sh \
	tests/lab/guests.sh
# the form of the source
STYLE_TESTS = tests/layers.sh tests/style.sh
TESTS += $(STYLE_TESTS) $(LAB_SELF)

EXTRA_DIST += $(STYLE_TESTS) $(LAB_SELF) tests/layers tests/functions.sh \
	tests/lab/README tests/lab/demo.sh tests/lab/dog tests/lab/demo.lab tests/lab/guest.sh tests/lab/host.sh \
	tests/lab/hosts.sh tests/lab/init tests/lab/native.sh tests/lab/run

clean-local:
	-rm -rf lab.tmp

# for bootstrap: the tests of this configuration
print-tests:
	@echo $(TESTS)

# every script of BENCH in turn; their results are their output
bench: all $(check_PROGRAMS)
	@$(AM_TESTS_ENVIRONMENT) srcdir='$(srcdir)'; export srcdir; \
	for b in $(BENCH); do \
		echo "== $$b"; \
		case $$b in \
		*.lab) $(LAB_LOG_COMPILER) $(srcdir)/$$b || exit 1;; \
		*) bash $(srcdir)/$$b || exit 1;; \
		esac; \
	done
.PHONY: bench print-tests
