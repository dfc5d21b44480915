/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Traces of calls, for whom rows of Observer ask: a span for each call, in the JSON of Zipkin v2,
 * in files below a directory. Each line of a file is an array of spans; a file of 1 MiB is followed
 * by another one, and of the files the latest TRACE_FILES stay.
 *
 * A caller that traces sends the header traceparent (W3C): its span is the parent then.
 *
 * Any thread. Nothing of it costs more than a look at a number while nobody observes.
 */

#include "base/error.h"

#include <stdint.h>

#define TRACE_FILES     32
#define TRACE_FILE_SIZE (1u << 20)

struct store;
struct traces;

struct traced_call {
    const char *name;   /* of the message */
    const char *parent; /* text of the header, "" = none */
    const char *user, *task;
    const char *error; /* code, NULL = none */
    int64_t took_us;
};

struct traces *traces_new(struct store *store, const char *dir);
/* Before store_close: observes no more. NULL is accepted, here and below. */
void traces_stop(struct traces *t);
void traces_free(struct traces *t);

/* A call of this host has ended. */
void traces_add(struct traces *t, const char *host_ref, const struct traced_call *call);
/* Writes what was added since; one thread at a time. */
_must_check_ struct error *traces_write(struct traces *t);
