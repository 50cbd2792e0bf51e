# tests of volume
check_PROGRAMS += volume-tool
volume_tool_SOURCES = tests/lab/volume-tool.c src/base/fault_kill.c
volume_tool_CPPFLAGS = $(libvolume_a_CPPFLAGS)
volume_tool_LDADD = $(VOLUME_LIBS)
