# volume: this machine's storage
noinst_LIBRARIES += libvolume.a
libvolume_a_CPPFLAGS = $(libbitmap_a_CPPFLAGS) -I$(srcdir)/src/volume
libvolume_a_CFLAGS = $(BASE_CFLAGS) $(JANSSON_CFLAGS) $(DEVMAPPER_CFLAGS) $(BLKID_CFLAGS) $(XXHASH_CFLAGS)
libvolume_a_SOURCES = \
	src/volume/blockdev.c src/volume/blockdev.h \
	src/volume/cut.c src/volume/cut.h \
	src/volume/dmcall.c src/volume/dmcall.h \
	src/volume/dmdev.c src/volume/dmdev.h \
	src/volume/file.c src/volume/file.h \
	src/volume/file_cut.c src/volume/file_read.c src/volume/file_save.c \
	src/volume/file_slots.c src/volume/file_target.c \
	src/volume/era.c src/volume/era.h \
	src/volume/era_admin.c src/volume/era_admin.h \
	src/volume/era_cut.c src/volume/era_dev.c src/volume/era_read.c \
	src/volume/freeze.c src/volume/freeze.h \
	src/volume/fsfreeze.c src/volume/fsfreeze.h \
	src/volume/lvm.c src/volume/lvm.h src/volume/lvm_settings.c src/volume/lvm_settings.h \
	src/volume/plain.c src/volume/plain.h \
	src/volume/plain_cut.c src/volume/plain_read.c \
	src/volume/plain_slots.c \
	src/volume/probe.c src/volume/probe.h \
	src/volume/tags.c src/volume/tags.h \
	src/volume/raw.c src/volume/raw.h \
	src/volume/raw_id.c src/volume/raw_sum.c src/volume/raw_target.c \
	src/volume/thin.c src/volume/thin.h \
	src/volume/thin_cut.c src/volume/thin_read.c \
	src/volume/thin_slots.c src/volume/thin_target.c \
	src/volume/volume.c src/volume/volume.h src/volume/volume_kinds.h \
	src/volume/watchdog.c src/volume/watchdog.h
VOLUME_LIBS = libvolume.a $(BITMAP_LIBS) $(DEVMAPPER_LIBS) $(BLKID_LIBS)
