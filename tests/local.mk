# tests: one fragment per area
TEST_CPPFLAGS = -I$(srcdir)/tests/unit
BENCH =
include tests/base.mk
include tests/bitmap.mk
include tests/transport.mk
include tests/volume.mk
include tests/repl.mk
include tests/ui.mk
include tests/lab/local.mk
