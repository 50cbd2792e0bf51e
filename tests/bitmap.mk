# tests of bitmap

check_PROGRAMS += unit-bset
unit_bset_SOURCES = tests/unit/unit-bset.c
unit_bset_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_bset_LDADD = $(BITMAP_LIBS) $(CHECK_LIBS)
TESTS += unit-bset

check_PROGRAMS += unit-thin unit-thin-live
unit_thin_SOURCES = tests/unit/unit-thin.c tests/unit/thin_image.c tests/unit/thin_image.h
unit_thin_CPPFLAGS = $(libbitmap_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_thin_LDADD = $(BITMAP_LIBS) $(CHECK_LIBS)
unit_thin_live_SOURCES = tests/unit/unit-thin-live.c tests/unit/thin_image.c tests/unit/thin_image.h
unit_thin_live_CPPFLAGS = $(unit_thin_CPPFLAGS)
unit_thin_live_LDADD = $(unit_thin_LDADD)
TESTS += unit-thin unit-thin-live
