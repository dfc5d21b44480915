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
#include "gen/http_actions.h"
#include "task/daemon.h"
#include "task/tally.h"
#include "task/waiting.h"
#include "wire/admission.h"
#include "wire/server.h"

#include <jansson.h>

struct transfer_kind;
struct txn;
struct websocket;

struct transfer {
    struct list link;
    struct daemon *daemon;
    const struct transfer_kind *kind;
    struct http_request *rq;
    struct stream *stream; /* after transfer_take */
    struct websocket *web; /* instead, for a console in a browser */
    struct arena arena;
    const char *realm; /* "put_import_raw_vdi" */
    const char *user;
    uint32_t roles;
    bool superuser;
    bool everybody;          /* may do it who may only look */
    struct session *session; /* counted, NULL without one */
    const char *task;        /* reference */
    json_t *result;          /* of the task, NULL = void */
    int64_t told_us;         /* when progress was last written */
    int64_t taken;           /* bytes of the body */
    const char *vdi;         /* the disk it has open, NULL = none; see transfers.h */
    const char *handle;      /* the same as hostd knows it */
    const char *console;     /* the one it shows, NULL = none; see there */
    bool beginning;          /* inside: see transfer_task.h */
    bool own_task;           /* made here, not by the client */
    int status;              /* answered instead of the error's own, 0 = none */
    bool guessed;            /* the password was refused */
    struct ticket ticket;    /* of its address: transfers_admit */
    struct error *refusal;   /* of a password: answered when `late` is due */
    struct permit permit;    /* of its caller's limit: it begins when `late` is due */
    struct waiter late;
};

/* One handler. Its path, its name and who may use it are those of the action in the schema. */
struct transfer_kind {
    enum http_action_id action;
    bool (*is_open)(const struct transfer *t); /* to anybody; NULL = to nobody without a role */
    struct error *(*run)(struct transfer *t);
    /* The host that serves it, of elsewhere.h: another one is answered with 302, and the task is
     * that host's to end. NULL = any host serves it, or each about itself. */
    const char *(*where)(const struct transfer *t, struct txn *x);
    bool has_task;
    bool is_large; /* keeps much in memory: only a few at a time, TOO_MANY_PENDING_TASKS */
};

/* The route handler; ctx of the route is a struct transfer_route. */
struct transfer_route {
    struct daemon *daemon;
    struct transfer_kind kind;
};

void transfer_handle(void *ctx, struct http_request *rq);
/* What a transfer of an earlier program asks; the caller owns the answer. */
json_t *transfer_answer(struct daemon *d, const json_t *question);
/* An earlier program has ended: what its transfers held (transfers_held) and did not give back is
 * given back, and those of their tasks that are pending fail. NULL is fine. */
void transfers_lost(struct daemon *d, const json_t *held);

/* Lets transfers_cancel reach the connection: call it with the websocket, and with NULL before that
 * is closed. */
void transfer_set_web(struct transfer *t, struct websocket *web);

/* Query parameter, "" when absent. */
const char *transfer_param(const struct transfer *t, const char *name);
/* `where` of what only the master keeps. */
const char *transfer_to_master(const struct transfer *t, struct txn *x);
/* "true" is true, anything else is not; absent = absent. */
bool transfer_flag(const struct transfer *t, const char *name, bool absent);
/* Reference of the object named by a parameter holding a reference or a uuid; HANDLE_INVALID. */
_must_check_ struct error *transfer_object(struct transfer *t, enum class_id class_id,
                                           const char *text, const char **ret);
/* Answers status with task-id and the headers given, and makes the connection a stream. type may be
 * NULL; length -1 = until the end of the connection. */
_must_check_ struct error *transfer_take(struct transfer *t, const char *type,
                                         const char *disposition, int64_t length);
/* The same with 206, for the bytes from `from` on of `size`. */
_must_check_ struct error *transfer_take_from(struct transfer *t, const char *type,
                                              const char *disposition, int64_t from, int64_t size);
/* 0..1, written to the task at most every 200 ms. TASK_CANCELLED if someone asked for that. */
_must_check_ struct error *transfer_progress(struct transfer *t, double done);
/* TASK_CANCELLED if someone asked for that; for waits without progress. */
_must_check_ struct error *transfer_check(struct transfer *t);
/* Result of the task; takes value. */
void transfer_result(struct transfer *t, json_t *value);
/*
 * txn_run of fill by whoever asks, as far as the limits of clients go. For a transfer that has its
 * connection: another program may have the store by then, which is an error that says so.
 */
_must_check_ struct error *transfer_commit(struct transfer *t,
                                           struct error *(*fill)(void *ctx, struct txn *x),
                                           void *ctx);
/* The same without the commit: would it do? */
_must_check_ struct error *transfer_try(struct transfer *t,
                                        struct error *(*fill)(void *ctx, struct txn *x), void *ctx);

/* For what needs the store or hostd without a commit. False: another program has them. */
_must_check_ bool transfer_enter(struct transfer *t);
void transfer_leave(struct transfer *t);

/* transfer_body.c */

/* Waits for bytes of the body, and meanwhile looks whether the task was cancelled. *ret_n 0 = the
 * end; ETIMEDOUT after five minutes without a byte. */
_must_check_ struct error *transfer_read(struct transfer *t, void *buf, size_t want, size_t *ret_n);
/* The same until buf is full or the body ends. *ret_n counts what came when it fails, too. */
_must_check_ struct error *transfer_fill(struct transfer *t, void *buf, size_t want, size_t *ret_n);
/* Takes what a client sends behind the end of what matters, a moment and a megabyte at most: it is
 * to hear of the end, and not of a broken connection. */
void transfer_drain(struct transfer *t);

/* console.c, disk_export.c, disk_import.c, blob.c, metadata.c,
 * database.c, audit_log.c, report.c, backup.c, small.c, cli.c */
extern const struct transfer_kind transfer_export_raw_vdi;
extern const struct transfer_kind transfer_import_raw_vdi;
extern const struct transfer_kind transfer_console;
extern const struct transfer_kind transfer_console_web;
extern const struct transfer_kind transfer_get_blob;
extern const struct transfer_kind transfer_put_blob;
extern const struct transfer_kind transfer_export_metadata;
extern const struct transfer_kind transfer_import_metadata;
extern const struct transfer_kind transfer_get_database;
extern const struct transfer_kind transfer_put_database;
extern const struct transfer_kind transfer_audit_log;
extern const struct transfer_kind transfer_system_status;
extern const struct transfer_kind transfer_host_logs;
extern const struct transfer_kind transfer_host_backup;
extern const struct transfer_kind transfer_host_restore;
extern const struct transfer_kind transfer_services;
extern const struct transfer_kind transfer_updates;
extern const struct transfer_kind transfer_cli;
