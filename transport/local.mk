# transport: frames between two hosts; knows no volumes
noinst_LIBRARIES += libtransport.a
libtransport_a_CPPFLAGS = -I$(srcdir)/src/base -I$(srcdir)/transport
libtransport_a_CFLAGS = $(BASE_CFLAGS) $(JANSSON_CFLAGS) $(CURL_CFLAGS) $(MHD_CFLAGS) $(GNUTLS_CFLAGS)
libtransport_a_SOURCES =
TRANSPORT_LIBS = libtransport.a $(BASE_LIBS) $(CURL_LIBS) $(MHD_LIBS) $(GNUTLS_LIBS)
