# tests of base
check_PROGRAMS += unit-base
unit_base_SOURCES = tests/unit/unit-base.c
unit_base_CPPFLAGS = $(libbase_a_CPPFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
unit_base_LDADD = $(BASE_LIBS) $(CHECK_LIBS) -lm
TESTS += unit-base
