# base: the floor; knows nothing of volumes or hosts
noinst_LIBRARIES += libbase.a
libbase_a_CPPFLAGS = -I$(srcdir)/src/base
libbase_a_CFLAGS = $(BASE_CFLAGS) $(JANSSON_CFLAGS) $(URING_CFLAGS) $(SYSTEMD_CFLAGS)
libbase_a_SOURCES = \
	src/base/aio.c src/base/aio.h src/base/aio_engine.h \
	src/base/aio_threads.c src/base/aio_uring.c \
	src/base/buf.c src/base/buf.h \
	src/base/cleanup.h \
	src/base/err.c src/base/err.h \
	src/base/fault.h src/base/fault_none.c \
	src/base/fmt.c src/base/fmt.h \
	src/base/io.c src/base/io.h \
	src/base/js.c src/base/js.h \
	src/base/lock.c src/base/lock.h \
	src/base/log.c src/base/log.h \
	src/base/mem.c \
	src/base/program.c src/base/program.h
BASE_LIBS = libbase.a $(JANSSON_LIBS) $(URING_LIBS) $(SYSTEMD_LIBS) -lm
