# repl: replication itself: cut, ship, apply, partnership, roles
noinst_LIBRARIES += librepl.a
librepl_a_CPPFLAGS = $(libvolume_a_CPPFLAGS) -I$(srcdir)/transport -I$(srcdir)/src/repl
librepl_a_CFLAGS = $(BASE_CFLAGS) $(JANSSON_CFLAGS) $(ZSTD_CFLAGS) $(XXHASH_CFLAGS) $(URING_CFLAGS)
librepl_a_SOURCES =
librepl_a_SOURCES += src/repl/manifest.c src/repl/manifest.h src/repl/segment.c src/repl/segment.h
REPL_LIBS = librepl.a $(VOLUME_LIBS) $(TRANSPORT_LIBS) $(ZSTD_LIBS)
