# tests of bitmap

check_PROGRAMS += unit-bset
unit_bset_SOURCES = tests/unit/unit-bset.c
unit_bset_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_bset_LDADD = $(BITMAP_LIBS) $(CHECK_LIBS)
TESTS += unit-bset
