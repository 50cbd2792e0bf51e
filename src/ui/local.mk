# ui: one file per command; nobody includes it
noinst_LIBRARIES += libui.a
libui_a_CPPFLAGS = $(librepl_a_CPPFLAGS) -I$(srcdir)/src/ui
libui_a_CFLAGS = $(BASE_CFLAGS) $(JANSSON_CFLAGS)
libui_a_SOURCES =
