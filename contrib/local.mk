# systemd units: the program's place is filled in at build time
UNITS = \
	contrib/systemd/srsync-era.service \
	contrib/systemd/srsync.service \
	contrib/systemd/srsync@.service \
	contrib/systemd/srsync-sync@.service
systemdsystemunit_DATA = $(UNITS)
dist_systemdsystemunit_DATA = contrib/systemd/srsync@.timer
EXTRA_DIST += $(UNITS:=.in)
CLEANFILES = $(UNITS)

$(UNITS): Makefile
	$(AM_V_GEN)$(MKDIR_P) contrib/systemd && \
	$(SED) 's|[@]bindir[@]|$(bindir)|' '$(srcdir)/$@.in' >'$@.tmp' && mv '$@.tmp' '$@'
contrib/systemd/srsync-era.service: contrib/systemd/srsync-era.service.in
contrib/systemd/srsync.service: contrib/systemd/srsync.service.in
contrib/systemd/srsync@.service: contrib/systemd/srsync@.service.in
contrib/systemd/srsync-sync@.service: contrib/systemd/srsync-sync@.service.in

# distcheck installs below its own prefix only
AM_DISTCHECK_CONFIGURE_FLAGS = --with-systemdsystemunitdir=$$dc_install_base/systemd

# examples, to be copied and adapted
hooksdir = $(docdir)/hooks
dist_hooks_DATA = contrib/hooks/README contrib/hooks/mysql contrib/hooks/postgresql
