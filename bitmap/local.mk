# bitmap: which blocks changed; knows descriptors, not LVM
noinst_LIBRARIES += libbitmap.a
libbitmap_a_CPPFLAGS = -I$(srcdir)/src/base -I$(srcdir)/bitmap
libbitmap_a_CFLAGS = $(BASE_CFLAGS) $(URING_CFLAGS) $(ISAL_CFLAGS) $(XXHASH_CFLAGS)
libbitmap_a_SOURCES =
libbitmap_a_SOURCES += \
	bitmap/bitlog.c bitmap/bitlog.h \
	bitmap/bitlog_file.c bitmap/bitlog_file.h \
	bitmap/bitlog_record.c bitmap/bitlog_record.h \
	bitmap/bset.c bitmap/bset.h \
	bitmap/fiemap.c bitmap/fiemap.h
libbitmap_a_SOURCES += \
	bitmap/blockio.c bitmap/blockio.h \
	bitmap/era_meta.c bitmap/era_meta.h \
	bitmap/pdarray.c bitmap/pdarray.h \
	bitmap/pdtree.c bitmap/pdtree.h \
	bitmap/snapcow.c bitmap/snapcow.h \
	bitmap/thin_cursor.c bitmap/thin_cursor.h \
	bitmap/thin_diff.c bitmap/thin_diff.h \
	bitmap/thin_map.c bitmap/thin_map.h \
	bitmap/thin_meta.c bitmap/thin_meta.h
BITMAP_LIBS = libbitmap.a $(BASE_LIBS) $(ROARING_LIBS) $(ISAL_LIBS) $(XXHASH_LIBS)
