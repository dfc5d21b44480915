/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One call under way, from the decoded envelope to the answer. Lives in the arena of the HTTP
 * request it answers; an Async call has an arena of its own and answers into a task row.
 */

#include "auth/sessions.h"
#include "rpc/call.h"
#include "task/tally.h"
#include "task/waiting.h"
#include "wire/envelope.h"
#include "wire/server.h"

#include <stdatomic.h>

struct job {
    struct call call;
    struct arena own;        /* Async only; call.arena points here then */
    struct http_request *rq; /* NULL for Async */
    struct rpc_request env;  /* owned params */
    struct session *session; /* counted or NULL */
    const void *args;        /* struct of call.msg->args, or generic_args */
    void *ret;               /* where the body's result goes */
    struct waiter waiter;
    bool contending; /* parked because of OTHER_OPERATION_IN_PROGRESS */
    int64_t contention_deadline_us;
    enum class_id contended; /* the class of what is in the way */
    uint64_t contended_seq;  /* and what had been published when it was */
    const char *plan_task;   /* of the plan it waits for, NULL = none */
    struct permit permit;    /* of a caller with a limit */
    const char *audit;       /* arguments for the audit log, NULL = it does not belong there */

    /* Of a call that waits for its commit without a thread: */
    struct commit_later later;
    struct error *commit_error;
    struct iovec *answer; /* goes out when the commit is durable */
    size_t n_answer;
};

/* Arguments of messages without a struct of their own (rpc/message.h says which). */
struct generic_args {
    const char *self;
    const void *key;   /* in the type of the map's key */
    const void *value; /* in the field's type, element type or the map's value type */
    const char *text;  /* uuid, label or expression */
};

/* Instead of running it: answers with the end of a plan that another program began for it. */
void job_resume(struct job *j);
/* Runs the body on this thread; ends, parks or hands over the job. */
void job_run(struct job *j);
/* True: its caller calls too often. It is queued when its turn comes, and holds no thread. */
bool job_waits(struct job *j);
/* Runs it on a worker; answers 503 if the pool is full. */
void job_queue(struct job *j);
/* Answers (or writes the task row) and frees. e is freed; result pieces are encoded values. */
void job_finish(struct job *j, struct error *e, const struct iovec *value, size_t n);
/* The daemon ends before this call did: frees it, and leaves it to the next one (rpc/left.h). */
void job_leave(struct job *j);
/* Its place among those who wait for OTHER_OPERATION_IN_PROGRESS, if it has one, goes to another.
 */
void job_stop_contending(struct job *j);
/* For a peer that went away: ends a parked job. */
void job_gone(void *ctx, struct http_request *rq);

/* decode.c: params (behind the session) to args and room for the result. */
_must_check_ struct error *job_decode(struct job *j, size_t first);

/* generic.c: messages served from the tables. Reads give pieces; writes go through j->call.txn. */
_must_check_ struct error *generic_read(struct job *j, struct iovec **ret, size_t *ret_n);
_must_check_ struct error *generic_write(struct job *j);
bool generic_is_read(const struct message *m);
/* Does it only look, and shortly, so that a poller's thread may run it? */
bool job_runs_here(const struct job *j);
/* Does it change the row of one object and nothing else, so that a poller's thread may try? */
bool job_writes_here(const struct job *j);
/* On the request's poller: runs it without waiting for the commit, after which the same thread
 * answers. Whatever is in the way sends it to a worker. */
void job_write_here(struct job *j);

/* Takes over the text, which lives as long as the arena then, as the only piece. */
void one_piece(struct arena *a, struct str *text, struct iovec **ret, size_t *ret_n);
/* The typed result of a body as pieces. */
void result_pieces(struct job *j, struct iovec **ret, size_t *ret_n);
