# bitmap: which blocks changed; knows descriptors, not LVM
noinst_LIBRARIES += libbitmap.a
libbitmap_a_CPPFLAGS = -I$(srcdir)/src/base -I$(srcdir)/bitmap
libbitmap_a_CFLAGS = $(BASE_CFLAGS) $(URING_CFLAGS) $(ISAL_CFLAGS) $(XXHASH_CFLAGS)
libbitmap_a_SOURCES =
libbitmap_a_SOURCES += bitmap/bset.c bitmap/bset.h
BITMAP_LIBS = libbitmap.a $(BASE_LIBS) $(ROARING_LIBS) $(ISAL_LIBS) $(XXHASH_LIBS)
