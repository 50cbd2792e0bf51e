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
	tests/repl/power.lab
TESTS += $(REPL_LAB)
EXTRA_DIST += $(REPL_LAB) tests/repl/setup.sh

BENCH += tests/bench/first-sync.lab
EXTRA_DIST += tests/bench/first-sync.lab
