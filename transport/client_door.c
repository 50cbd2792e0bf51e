/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "cleanup.h"
#include "client_door.h"
#include "tls.h"

int client_door_open(struct sockaddr_un *address, socklen_t *len, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	*len = sizeof(*address);
	/* Bound by the family alone, it gets a name that nobody has. */
	if (fd < 0 || bind(fd, (struct sockaddr *)address, sizeof(address->sun_family)) < 0 ||
	    listen(fd, 8) < 0 || getsockname(fd, (struct sockaddr *)address, len) < 0)
		return err_sys(e, "local socket");
	return take_fd(&fd);
}

/* Every process of the host may connect to an abstract address. */
static bool is_us(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.pid == getpid();
}

int client_door_accept(int listener, int stop_fd)
{
	for (;;) {
		struct pollfd p[2] = {{listener, POLLIN, 0}, {stop_fd, POLLIN, 0}};
		int fd;

		if ((poll(p, 2, -1) < 0 && errno != EINTR) || p[1].revents)
			return -1;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return -1;
		if (fd < 0)
			continue;
		if (is_us(fd)) {
			tls_widen(fd);
			return fd;
		}
		close(fd);
	}
}
