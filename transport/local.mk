# transport: frames between two hosts; knows no volumes
noinst_LIBRARIES += libtransport.a
libtransport_a_CPPFLAGS = -I$(srcdir)/src/base -I$(srcdir)/transport
libtransport_a_CFLAGS = $(BASE_CFLAGS) $(JANSSON_CFLAGS) $(NGHTTP2_CFLAGS) $(GNUTLS_CFLAGS)
libtransport_a_SOURCES = \
	transport/address.c transport/address.h \
	transport/client.c transport/client.h \
	transport/client_connect.c transport/client_connect.h \
	transport/client_error.c \
	transport/http.c transport/http.h \
	transport/identity.c transport/identity.h \
	transport/route.c transport/route.h \
	transport/server.c transport/server.h \
	transport/server_http.c transport/server_state.h \
	transport/signals.c transport/signals.h \
	transport/tls.c transport/tls.h \
	transport/tls_io.c transport/tls_session.h
TRANSPORT_LIBS = libtransport.a $(BASE_LIBS) $(NGHTTP2_LIBS) $(GNUTLS_LIBS)
