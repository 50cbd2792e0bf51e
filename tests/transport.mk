# tests of transport
check_PROGRAMS += unit-identity unit-client-server unit-server-http unit-address
unit_identity_SOURCES = tests/unit/unit-identity.c
unit_identity_CPPFLAGS = $(libtransport_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_identity_LDADD = $(TRANSPORT_LIBS) $(CHECK_LIBS)
served_sources = tests/unit/served.c tests/unit/served.h tests/unit/raw-peer.c tests/unit/raw-peer.h
unit_client_server_SOURCES = tests/unit/unit-client-server.c $(served_sources)
unit_client_server_CPPFLAGS = $(libtransport_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_client_server_LDADD = $(TRANSPORT_LIBS) $(CHECK_LIBS)
unit_server_http_SOURCES = tests/unit/unit-server-http.c $(served_sources)
unit_server_http_CPPFLAGS = $(libtransport_a_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS)
unit_server_http_LDADD = $(TRANSPORT_LIBS) $(CHECK_LIBS)
unit_address_SOURCES = tests/unit/unit-address.c
unit_address_CPPFLAGS = $(libtransport_a_CPPFLAGS) $(CHECK_CFLAGS)
unit_address_LDADD = $(TRANSPORT_LIBS) $(CHECK_LIBS)
TESTS += unit-identity unit-client-server unit-server-http unit-address

check_PROGRAMS += fuzz-transport
fuzz_transport_SOURCES = tests/fuzz/fuzz-transport.c tests/fuzz/replay.c
fuzz_transport_CPPFLAGS = $(libtransport_a_CPPFLAGS)
fuzz_transport_LDADD = $(TRANSPORT_LIBS)
TESTS += tests/fuzz/fuzz-transport.sh
EXTRA_DIST += tests/fuzz/fuzz-transport.sh tests/fuzz/corpus/transport

check_PROGRAMS += fuzz-http
fuzz_http_SOURCES = tests/fuzz/fuzz-http.c tests/fuzz/replay.c
fuzz_http_CPPFLAGS = $(libtransport_a_CPPFLAGS)
fuzz_http_LDADD = $(TRANSPORT_LIBS)
TESTS += tests/fuzz/fuzz-http.sh
EXTRA_DIST += tests/fuzz/fuzz-http.sh tests/fuzz/corpus/http
