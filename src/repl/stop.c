/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "fmt.h"
#include "stop.h"

static atomic_bool wanted;

static void on_signal(int signal)
{
	(void)signal;
	wanted = true;
}

void stop_init(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

bool stop_wanted(void)
{
	return wanted;
}

bool stop_sleep(uint64_t ms)
{
	uint64_t end = fmt_mono_us() + ms * 1000;

	/* in slices: the signal may be delivered to another thread */
	while (!wanted && fmt_mono_us() < end) {
		uint64_t left = (end - fmt_mono_us()) / 1000 + 1;

		poll(NULL, 0, left < 200 ? (int)left : 200);
	}
	return wanted;
}
