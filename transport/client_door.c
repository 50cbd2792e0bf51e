/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "client_door.h"
#include "tls.h"

/* A socket on a free port of the loopback interface. */
static int local_socket(int flags, struct sockaddr_in *a)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	socklen_t len = sizeof(*a);
	int on = 1;

	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)a, sizeof(*a)) < 0 ||
	    getsockname(fd, (struct sockaddr *)a, &len) < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	tls_widen(fd);
	return take_fd(&fd);
}

int client_door_open(struct client_door *d, struct err *e)
{
	struct sockaddr_in own;
	_cleanup_close_ int listener = local_socket(SOCK_NONBLOCK, &d->address);
	_cleanup_close_ int guest = local_socket(0, &own);

	if (listener < 0 || guest < 0 || listen(listener, 8) < 0) {
		err_sys(e, "local connection");
		return err_hint(e, "is the interface lo up? (ip link set lo up)");
	}
	d->guest_port = own.sin_port;
	d->listener = take_fd(&listener);
	d->guest = take_fd(&guest);
	return 0;
}

int client_door_accept(const struct client_door *d, int stop_fd)
{
	for (;;) {
		struct pollfd p[2] = {{d->listener, POLLIN, 0}, {stop_fd, POLLIN, 0}};
		struct sockaddr_in who = {.sin_port = 0};
		socklen_t len = sizeof(who);
		int fd;

		if ((poll(p, 2, -1) < 0 && errno != EINTR) || p[1].revents)
			return -1;
		fd = accept4(d->listener, (struct sockaddr *)&who, &len,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return -1;
		if (fd >= 0 && who.sin_port == d->guest_port)
			return fd;
		closep(&fd);
	}
}
