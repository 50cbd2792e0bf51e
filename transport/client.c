/* SPDX-License-Identifier: GPL-2.0-or-later */
/* curl speaks plain HTTP into one end of a socket pair, tls_pump() carries it from the other
 * (tls.h). curl asks for a socket when it has no live connection: open_socket() then connects,
 * shakes hands and compares the peer's key, so a wrong peer never sees a byte of HTTP. */
#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "client.h"
#include "client_connect.h"
#include "client_door.h"
#include "fmt.h"
#include "signals.h"
#include "tls.h"

#define UPLOAD_BUFFER (1L << 20) /* bytes; more gains nothing */
/* What curl believes to talk to: a number, so that it looks up no name. open_socket() decides. */
#define NOWHERE "http://127.0.0.1:1"

struct client {
	CURL *curl;
	struct curl_slist *headers;
	struct tls_keys *keys;
	struct client_target target;
	unsigned stall_ms;
	int cancel_fd; /* an eventfd: readable for ever once cancelled */
	atomic_bool cancelled;

	/* the connection that curl uses now or used last */
	struct tls *tls;
	pthread_t thread;
	bool pumping;
	int fd;
	struct client_door door;

	/* the call under way */
	struct buf *reply;
	struct err connect_err;
	bool too_long, stalled;
	curl_off_t moved;
	uint64_t moved_at; /* monotonic microseconds; 0: moved since last looked at */
};

static void *pump_main(void *arg)
{
	struct client *c = arg;
	/* A stall is seen by progress(), which knows whether a call is under way. */
	static const struct tls_limits limits = {.stall_ms = 0};
	_cleanup_close_ int plain_fd = client_door_accept(&c->door, c->cancel_fd);

	if (plain_fd >= 0)
		tls_pump(c->tls, plain_fd, &limits);
	/* The peer learns of the end now; the number stays ours until hang_up(). */
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void close_fd(int *fd)
{
	closep(fd);
	*fd = -1;
}

/* Ends the last connection, at which nobody waits for anything any more. */
static void hang_up(struct client *c)
{
	if (c->pumping) {
		shutdown(c->door.listener, SHUT_RDWR);
		shutdown(c->fd, SHUT_RDWR);
		pthread_join(c->thread, NULL);
	}
	c->pumping = false;
	tls_free(TAKE(c->tls));
	close_fd(&c->fd);
	close_fd(&c->door.listener);
}

/* A connection to the right key, and a door for curl; -1 with connect_err set. */
static int dial(struct client *c)
{
	struct err *e = &c->connect_err;

	hang_up(c);
	if (client_connect(&c->target, c->keys, c->cancel_fd, &c->fd, &c->tls, e) < 0 ||
	    client_door_open(&c->door, e) < 0)
		return -1;
	if (signals_thread(&c->thread, pump_main, c, e) < 0) {
		close_fd(&c->door.guest);
		return -1;
	}
	c->pumping = true;
	return 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct client *c = arg;

	(void)purpose;
	if (dial(c) < 0)
		return CURL_SOCKET_BAD;
	/* libcurl lets us change where it connects to; the family is that of NOWHERE. */
	memcpy(&address->addr, &c->door.address, sizeof(c->door.address));
	address->addrlen = sizeof(c->door.address);
	return take_fd(&c->door.guest);
}

static size_t take_reply(char *data, size_t size, size_t n, void *arg)
{
	struct client *c = arg;

	if (n > CLIENT_REPLY_MAX - c->reply->len) {
		c->too_long = true;
		return 0;
	}
	buf_put(c->reply, data, n * size);
	return n;
}

/* The clock is read only when nothing has moved, since it is a system call on some machines. */
static int progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
		    curl_off_t ulnow)
{
	struct client *c = arg;

	(void)dltotal, (void)ultotal;
	if (atomic_load(&c->cancelled))
		return 1;
	if (dlnow + ulnow != c->moved) {
		c->moved = dlnow + ulnow;
		c->moved_at = 0;
	} else if (c->moved_at == 0) {
		c->moved_at = fmt_mono_us();
	} else if (fmt_mono_us() - c->moved_at > c->stall_ms * 1000ULL) {
		c->stalled = true;
		return 1;
	}
	return 0;
}

static void set_options(struct client *c)
{
	CURL *h = c->curl;
	_cleanup_free_ char *host = xasprintf("Host: %s", c->target.text);

	c->headers = curl_slist_append(NULL, host);
	c->headers = curl_slist_append(c->headers, "Expect:");
	c->headers = curl_slist_append(c->headers, "Content-Type: application/octet-stream");
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_MAXCONNECTS, 1L);
	curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
	curl_easy_setopt(h, CURLOPT_BUFFERSIZE, 256L << 10);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_reply);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, progress);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, c);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
}

static void global_init(void)
{
	curl_global_init(CURL_GLOBAL_NOTHING);
}

void client_set_stall(struct client *c, unsigned stall_ms)
{
	c->stall_ms = stall_ms ? stall_ms : 60000;
}

struct client *client_new(const struct client_peer *peer, const struct identity *id, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_cleanup_(client_freep) struct client *c = xcalloc(1, sizeof(*c));

	c->cancel_fd = c->fd = c->door.listener = c->door.guest = -1;
	client_set_stall(c, peer->stall_ms);
	if (client_target(&c->target, peer, e) < 0)
		return NULL;
	c->keys = tls_keys_new(id, e);
	if (!c->keys)
		return NULL;
	c->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->cancel_fd < 0) {
		err_sys(e, "eventfd");
		return NULL;
	}
	pthread_once(&once, global_init);
	c->curl = curl_easy_init();
	if (!c->curl) {
		err_set(e, ERR_FAILED, "libcurl cannot be initialized");
		return NULL;
	}
	set_options(c);
	return TAKE(c);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	hang_up(c);
	tls_keys_free(c->keys);
	closep(&c->cancel_fd);
	free(c);
}

void client_cancel(struct client *c)
{
	atomic_store(&c->cancelled, true);
	eventfd_write(c->cancel_fd, 1);
}

static int failed(struct client *c, CURLcode r, struct err *e)
{
	const char *peer = c->target.text;

	if (atomic_load(&c->cancelled))
		return err_set(e, ERR_FAILED, "cancelled");
	if (c->connect_err.code) {
		*e = c->connect_err;
		return -1;
	}
	if (c->too_long)
		return err_set(e, ERR_PEER, "%s: reply larger than %u bytes", peer,
			       CLIENT_REPLY_MAX);
	if (c->stalled)
		err_set(e, ERR_PEER, "%s: no answer and no byte moved for %s", peer,
			fmt_duration(c->stall_ms / 1e3).s);
	else
		err_set(e, ERR_PEER, "%s: the connection broke: %s", peer, curl_easy_strerror(r));
	return err_hint(e, "check the network to %s and the log of srsync serve there; then repeat",
			peer);
}

static CURLcode perform(struct client *c)
{
	c->connect_err = (struct err)ERR_INIT;
	c->too_long = c->stalled = false;
	c->moved = 0;
	c->moved_at = 0;
	buf_reset(c->reply);
	return curl_easy_perform(c->curl);
}

/* The peer closes connections that were idle for long: one that was kept may break at its next use,
 * and only a new one tells whether the peer is there. */
static bool was_kept(struct client *c)
{
	long made = 0;

	curl_easy_getinfo(c->curl, CURLINFO_NUM_CONNECTS, &made);
	return made == 0 && !c->connect_err.code && !atomic_load(&c->cancelled) && !c->too_long &&
	       !c->stalled;
}

static void set_request(struct client *c, const char *method, const void *body, size_t len)
{
	CURL *h = c->curl;

	if (!strcmp(method, "GET")) {
		assert(len == 0);
		curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
	} else {
		curl_easy_setopt(h, CURLOPT_POST, 1L);
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, len ? body : "");
	}
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
}

int client_call(struct client *c, const char *method, const char *path, const void *body,
		size_t len, struct buf *reply, struct err *e)
{
	_cleanup_free_ char *url = xasprintf(NOWHERE "%s", path);
	long status = 0;
	CURLcode r;

	assert(*path == '/');
	if (atomic_load(&c->cancelled))
		return err_set(e, ERR_FAILED, "cancelled");
	c->reply = reply;
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	set_request(c, method, body, len);
	r = perform(c);
	if (r != CURLE_OK && was_kept(c)) {
		curl_easy_setopt(c->curl, CURLOPT_FRESH_CONNECT, 1L);
		r = perform(c);
		curl_easy_setopt(c->curl, CURLOPT_FRESH_CONNECT, 0L);
	}
	if (r != CURLE_OK)
		return failed(c, r, e);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}
