/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The front door without sockets: stands in for the HTTP server (the linker puts __wrap_server_*
 * and __wrap_http_* in its place). A request is the body of a POST to /jsonrpc, given to the same
 * handler on fibers that stand for the poller threads.
 */

#include "base/error.h"
#include "base/str.h"

#include <jansson.h>

/* What became of a request. */
enum fate {
    FATE_ANSWERED,
    FATE_LOST,    /* the daemon went away: nobody knows */
    FATE_REFUSED, /* there was no daemon to take it */
    FATE_LATE,    /* no answer in time: nobody knows, and that is a failure of its own */
};

struct answer {
    enum fate fate;
    json_t *result; /* owned; NULL unless the call succeeded */
    json_t *error;  /* owned; the array [code, parameters ...] of a call that failed */
};

/* params: stolen; the session is the first of them. Blocks the calling fiber. */
struct answer front_call(const char *method, json_t *params, int64_t patience_us);
void answer_fini(struct answer *a);
/* "" if it is not an error of a call */
const char *answer_code(const struct answer *a);
const char *answer_text(const struct answer *a); /* the result if it is a string, else "" */

bool front_is_up(void);
void front_killed(void);
/* Requests that have no answer yet. */
size_t front_open(void);
