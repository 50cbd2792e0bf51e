/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "signals.h"

void signals_block(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

void signals_restore(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

int signals_thread(pthread_t *t, void *(*run)(void *), void *arg, struct err *e)
{
	sigset_t old;
	int r;

	signals_block(&old);
	r = pthread_create(t, NULL, run, arg);
	signals_restore(&old);
	errno = r;
	return r ? err_sys(e, "cannot start a thread") : 0;
}
