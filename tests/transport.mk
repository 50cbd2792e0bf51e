# tests of transport
check_PROGRAMS += unit-identity unit-client-server unit-address
unit_identity_SOURCES = tests/unit/unit-identity.c
unit_identity_CPPFLAGS = $(libtransport_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_identity_LDADD = $(TRANSPORT_LIBS) $(CHECK_LIBS)
unit_client_server_SOURCES = tests/unit/unit-client-server.c tests/unit/raw-peer.c tests/unit/raw-peer.h
unit_client_server_CPPFLAGS = $(libtransport_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_client_server_LDADD = $(TRANSPORT_LIBS) $(CHECK_LIBS)
unit_address_SOURCES = tests/unit/unit-address.c
unit_address_CPPFLAGS = $(libtransport_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_address_LDADD = $(TRANSPORT_LIBS) $(CHECK_LIBS)
TESTS += unit-identity unit-client-server unit-address

check_PROGRAMS += fuzz-transport
fuzz_transport_SOURCES = tests/fuzz/fuzz-transport.c tests/fuzz/replay.c
fuzz_transport_CPPFLAGS = $(libtransport_a_CPPFLAGS)
fuzz_transport_LDADD = $(TRANSPORT_LIBS)
TESTS += tests/fuzz/fuzz-transport.sh
EXTRA_DIST += tests/fuzz/fuzz-transport.sh tests/fuzz/corpus/transport
