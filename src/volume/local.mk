# volume: this machine's storage
noinst_LIBRARIES += libvolume.a
libvolume_a_CPPFLAGS = $(libbitmap_a_CPPFLAGS) -I$(srcdir)/src/volume
libvolume_a_CFLAGS = $(BASE_CFLAGS) $(JANSSON_CFLAGS) $(DEVMAPPER_CFLAGS) $(BLKID_CFLAGS)
libvolume_a_SOURCES =
VOLUME_LIBS = libvolume.a $(BITMAP_LIBS) $(DEVMAPPER_LIBS) $(BLKID_LIBS)
