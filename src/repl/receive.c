/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <string.h>

#include "receive.h"
#include "redo.h"
#include "replica.h"
#include "stream.h"
#include "target.h"

/* Threads take frames off the stream one by one, and write them at the same time. */
struct crew {
	struct replicas *replicas;
	const struct partnership *p;
	pthread_mutex_t mutex; /* of all below */
	struct stream stream;
	bool ended;
	struct err failed; /* the first failure */
};

/* The next frame, handed over in frame; false: no more. */
static bool take_frame(struct crew *c, struct buf *frame, uint64_t *number)
{
	struct segment *seg = NULL;
	int r = 0;

	pthread_mutex_lock(&c->mutex);
	if (!c->ended && c->failed.code == ERR_NONE)
		r = stream_read_segment(&c->stream, &seg, &c->failed);
	if (r > 0) {
		*number = seg->number;
		buf_free(frame);
		*frame = c->stream.frame;
		c->stream.frame = (struct buf)BUF_INIT;
	} else {
		c->ended = true;
	}
	segment_free(seg);
	pthread_mutex_unlock(&c->mutex);
	return r > 0;
}

static void *work(void *arg)
{
	struct crew *c = arg;
	_cleanup_buf_ struct buf frame = BUF_INIT;
	uint64_t number;

	while (take_frame(c, &frame, &number)) {
		struct err e;

		if (replica_segment(c->replicas, c->p, c->stream.m->seq, number, frame.data,
				    frame.len, &e) == 0)
			continue;
		pthread_mutex_lock(&c->mutex);
		if (c->failed.code == ERR_NONE)
			c->failed = e;
		pthread_mutex_unlock(&c->mutex);
	}
	return NULL;
}

static int apply_all(struct crew *c, struct err *e)
{
	pthread_t thread[RECEIVE_THREADS];
	unsigned n = 0;

	c->ended = false;
	while (n < RECEIVE_THREADS && pthread_create(&thread[n], NULL, work, c) == 0)
		n++;
	if (n == 0)
		work(c);
	while (n)
		pthread_join(thread[--n], NULL);
	if (c->failed.code == ERR_NONE)
		return 0;
	*e = c->failed;
	return -1;
}

static int read_past(struct crew *c, struct err *e)
{
	struct segment *seg = NULL;
	int r;

	while ((r = stream_read_segment(&c->stream, &seg, e)) > 0)
		segment_free(TAKE(seg));
	return r;
}

/* One cut: begin, segments, commit. A cut that is committed already is read past. */
static int receive_cut(struct crew *c, struct err *e)
{
	const struct manifest *m = c->stream.m;
	json_t *reply = NULL;
	bool open;
	int r;

	if (replica_begin(c->replicas, c->p, m->seq, c->stream.manifest.data,
			  c->stream.manifest.len, &reply, e) < 0)
		return -1;
	open = json_is_object(json_object_get(reply, "open"));
	json_decref(reply);
	reply = NULL;
	if (!open)
		return read_past(c, e);
	r = apply_all(c, e);
	if (r == 0)
		r = replica_commit(c->replicas, c->p, m->seq, &reply, e);
	json_decref(reply);
	return r;
}

/* The first stream tells what a partnership needs to know. */
static int accept_partnership(const struct host *h, const char *name, const struct manifest *m,
			      bool overwrite, struct err *e)
{
	_cleanup_free_ struct target_request *r = xcalloc(1, sizeof(*r));

	if (peer_name_check("partnership", name, e) < 0)
		return -1;
	strcpy(r->name, name);
	strcpy(r->id, m->partnership);
	r->keep = PARTNERSHIP_KEEP;
	r->rpo_ms = PARTNERSHIP_RPO_MS;
	r->port = HOST_PORT;
	r->overwrite = overwrite;
	r->volumes = m->volumes;
	for (unsigned i = 0; i < m->volumes; i++) {
		strcpy(r->volume[i].source, m->volume[i].name);
		strcpy(r->volume[i].target, m->volume[i].target);
		strcpy(r->volume[i].uuid, m->volume[i].uuid);
		r->volume[i].size = m->volume[i].size;
	}
	return target_create(h, r, "", "", e);
}

static struct partnership *find(const struct host *h, const char *name,
				const struct receive_options *o, const struct manifest *m,
				struct err *e)
{
	struct partnership *p = partnership_load(h, name, e);

	if (!p && o->accept && accept_partnership(h, name, m, o->overwrite, e) == 0)
		p = partnership_load(h, name, e);
	if (!p)
		err_hint(e, "srsync receive %s --accept makes it from the stream", name);
	if (!p || p->role == VOLUME_TARGET)
		return p;
	err_set(e, ERR_FAILED, "%s is a source on this host", name);
	partnership_free(p);
	return NULL;
}

int receive_streams(const struct host *h, const char *name, const struct receive_options *o, int fd,
		    json_t **report, struct err *e)
{
	_cleanup_(replicas_freep) struct replicas *replicas = replicas_new(h);
	_cleanup_(partnership_freep) struct partnership *p = NULL;
	struct crew c = {.replicas = replicas,
			 .mutex = PTHREAD_MUTEX_INITIALIZER,
			 .stream = STREAM_INIT(fd)};
	struct err ignored;
	unsigned cuts = 0;
	int r;

	*report = NULL;
	while ((r = stream_read_begin(&c.stream, e)) > 0) {
		if (!p)
			c.p = p = find(h, name, o, c.stream.m, e);
		if (!p || receive_cut(&c, e) < 0) {
			r = -1;
			break;
		}
		cuts++;
	}
	if (r == 0 && cuts == 0)
		r = err_set(e, ERR_FAILED, "the input is empty");
	stream_free(&c.stream);
	if (p) {
		replica_close(replicas, p);
		if (r == 0)
			r = redo_finish(h, p, REDO_LOCK_MS, e);
		if (replica_describe(replicas, p, report, &ignored) < 0)
			*report = NULL;
	}
	return r;
}
