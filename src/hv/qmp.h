/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Client of the QEMU Machine Protocol, as spoken by QEMU and by qemu-storage-daemon over a unix
 * socket (format: QEMU's docs/interop/qmp-spec: one JSON object a line, replies carry our "id").
 *
 * A `qmp_loop` is one thread that reads all connections of the process. Commands may be sent from
 * any other thread, several at once on the same connection, and pipelined. Events are handed to the
 * connection's callback on the loop's thread; the callback must be quick, must not send commands
 * and must not close its connection.
 *
 * Errors: ETIMEDOUT (no answer in time; a late answer is dropped), ECONNRESET (the peer went away),
 * EPROTO (not QMP), ENODEV / ENOSYS for QMP's classes DeviceNotFound / CommandNotFound, ENOSPC
 * where the text says so, otherwise errno 0 with the peer's text. The peer runs a guest's devices
 * and is not trusted: one message is at most QMP_LINE_MAX bytes, and what it says must be checked.
 */

#include "base/error.h"
#include "base/list.h"

#include <jansson.h>
#include <stdint.h>

#define QMP_LINE_MAX (16u << 20)

struct qmp_loop;
struct qmp;

/* `data` is borrowed for the time of the call and may be NULL. A call with event NULL is the last
 * one: the connection has broken or was closed by the peer. */
typedef void qmp_event_fn(void *arg, const char *event, json_t *data, int64_t time_us);

struct qmp_loop *qmp_loop_start(void);
/* All its connections must be closed before. */
void qmp_loop_stop(struct qmp_loop *l);

/* Greets over a connected socket, which it takes in any case. fn may be NULL. */
_must_check_ struct error *qmp_open(struct qmp_loop *l, int fd, int64_t timeout_us,
                                    qmp_event_fn *fn, void *arg, struct qmp **ret);
/* No callback runs after it returns. Waiting commands fail. NULL is accepted. */
void qmp_close(struct qmp *q);
/* False once the connection has broken. */
bool qmp_is_open(struct qmp *q);

/* Runs a command and waits for its answer. `args` is taken in any case and may be NULL; ret may be
 * NULL, else *ret is owned by the caller. */
_must_check_ struct error *qmp_run(struct qmp *q, const char *command, json_t *args,
                                   int64_t timeout_us, json_t **ret);
/* The same, passing a descriptor with it (getfd, add-fd); fd stays the caller's. */
_must_check_ struct error *qmp_run_fd(struct qmp *q, const char *command, json_t *args, int fd,
                                      int64_t timeout_us, json_t **ret);

/* Pipelining: send several, then collect each exactly once, in any order. */
_must_check_ struct error *qmp_send(struct qmp *q, const char *command, json_t *args,
                                    uint64_t *ret_id);
_must_check_ struct error *qmp_wait(struct qmp *q, uint64_t id, int64_t timeout_us, json_t **ret);

/* Further receivers of events, for the time of an operation. The struct is the caller's and must
 * stay in place; after qmp_unlisten its callback does not run any more. */
struct qmp_listener {
    qmp_event_fn *fn;
    void *arg;
    struct list link;
};
void qmp_listen(struct qmp *q, struct qmp_listener *l);
void qmp_unlisten(struct qmp *q, struct qmp_listener *l);

static inline void cleanup_qmp(struct qmp **q)
{
    qmp_close(*q);
}
#define _cleanup_qmp_ _cleanup_(cleanup_qmp)
