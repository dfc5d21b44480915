/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What all handlers outside RPC share: who asks, is it allowed, and the task that tells how far the
 * transfer is. A transfer runs on a thread of daemon.transfers and ends with transfer_end.
 *
 * Sources: XenAPI HTTP handlers (session in query or cookie, Basic, local socket; 401 with
 * WWW-Authenticate, 403 for a missing role; the client's task is driven to its end).
 */

#include "auth/sessions.h"
#include "base/list.h"
#include "task/daemon.h"
#include "task/waiting.h"
#include "wire/server.h"

#include <jansson.h>

struct websocket;

struct transfer {
    struct list link;
    struct daemon *daemon;
    struct http_request *rq;
    struct stream *stream; /* after transfer_take */
    struct websocket *web; /* instead, for a console in a browser */
    struct arena arena;
    const char *realm; /* "put_import_raw_vdi" */
    const char *user;
    uint32_t roles;
    bool superuser;
    struct session *session; /* counted, NULL without one */
    const char *task;        /* reference */
    const char *result;      /* of the task, NULL = void */
    int64_t told_us;         /* when progress was last written */
    const char *vdi;         /* the disk it has open, NULL = none; see transfers.h */
    bool beginning;          /* inside: see transfer_task.h */
    bool own_task;           /* made here, not by the client */
    int status;              /* answered instead of the error's own, 0 = none */
    bool guessed;            /* the password was refused */
    struct error *refusal;   /* of a password: answered when `late` is due */
    struct waiter late;
};

/* One handler: what it is called, who may use it, what it does. */
struct transfer_kind {
    const char *realm;
    uint32_t roles;                            /* ROLE_BIT() mask */
    bool (*is_open)(const struct transfer *t); /* to anybody; NULL = to nobody without a role */
    struct error *(*run)(struct transfer *t);
    bool has_task;
};

/* The route handler; ctx of the route is a struct transfer_route. */
struct transfer_route {
    struct daemon *daemon;
    const struct transfer_kind *kind;
};

void transfer_handle(void *ctx, struct http_request *rq);
/* What a transfer of an earlier program asks; the caller owns the answer. */
json_t *transfer_answer(struct daemon *d, const json_t *question);

/* Lets transfers_cancel reach the connection: call it with the websocket, and with NULL before that
 * is closed. */
void transfer_set_web(struct transfer *t, struct websocket *web);

/* Query parameter, "" when absent. */
const char *transfer_param(const struct transfer *t, const char *name);
/* Reference of the object named by a parameter holding a reference or a uuid; HANDLE_INVALID. */
_must_check_ struct error *transfer_object(struct transfer *t, enum class_id class_id,
                                           const char *text, const char **ret);
/* Answers status with task-id and the headers given, and makes the connection a stream. type may be
 * NULL; length -1 = until the end of the connection. */
_must_check_ struct error *transfer_take(struct transfer *t, const char *type,
                                         const char *disposition, int64_t length);
/* 0..1, written to the task at most every 200 ms. TASK_CANCELLED if someone asked for that. */
_must_check_ struct error *transfer_progress(struct transfer *t, double done);
/* TASK_CANCELLED if someone asked for that; for waits without progress. */
_must_check_ struct error *transfer_check(struct transfer *t);
/* Result of the task: a reference or other text. */
void transfer_result(struct transfer *t, const char *value);

/* handlers.c, disk_export.c, disk_import.c, console.c */
extern const struct transfer_kind transfer_export_raw_vdi;
extern const struct transfer_kind transfer_import_raw_vdi;
extern const struct transfer_kind transfer_console;
extern const struct transfer_kind transfer_get_blob;
extern const struct transfer_kind transfer_put_blob;
