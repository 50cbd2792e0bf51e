# ui: one file per command; nobody includes it
noinst_LIBRARIES += libui.a
libui_a_CPPFLAGS = $(librepl_a_CPPFLAGS) -I$(srcdir)/src/ui
libui_a_CFLAGS = $(BASE_CFLAGS) $(JANSSON_CFLAGS)
libui_a_SOURCES = \
	src/ui/cmd.h \
	src/ui/cmd_bitlog.c \
	src/ui/cmd_changes.c \
	src/ui/cmd_create.c \
	src/ui/cmd_cuts.c \
	src/ui/cmd_era.c \
	src/ui/cmd_grant.c \
	src/ui/cmd_id.c \
	src/ui/cmd_pause.c \
	src/ui/cmd_peers.c \
	src/ui/cmd_receive.c \
	src/ui/cmd_remove.c \
	src/ui/cmd_revoke.c \
	src/ui/cmd_send.c \
	src/ui/cmd_serve.c \
	src/ui/cmd_status.c \
	src/ui/cmd_sync.c \
	src/ui/cmd_verify.c \
	src/ui/commands.c \
	src/ui/ui.c \
	src/ui/ui.h
