/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Traces of calls, for whom rows of Observer ask: a span for each call, in the JSON of Zipkin v2,
 * in files below a directory, and by HTTP to the addresses that the rows name (trace_outlet.h).
 * Each line of a file is an array of spans; a file of 1 MiB is followed by another one, and of the
 * files the latest TRACE_FILES stay. Of several rows that ask for files the one made first gets
 * them.
 *
 * A caller that traces sends the header traceparent (W3C): its span is the parent then.
 *
 * Any thread. Nothing of it costs more than a look at a number while nobody observes.
 */

#include "base/error.h"

#include <stdint.h>

#define TRACE_FILES     32
#define TRACE_FILE_SIZE (1u << 20)
/* Addresses that spans are sent to; each has a thread while it is sent to. */
#define TRACE_OUTLETS_MAX 8

struct hostd;
struct store;
struct str;
struct traces;

struct traced_call {
    const char *name;   /* of the message */
    const char *parent; /* text of the header, "" = none */
    const char *user, *task;
    const char *error; /* code, NULL = none */
    int64_t took_us;
};

_must_check_ struct error *traces_new(struct store *store, struct hostd *hostd, const char *dir,
                                      struct traces **ret);
/* Before store_close, and after hostd_cut, which ends what is being sent: observes no more. NULL is
 * accepted, here and below. */
void traces_stop(struct traces *t);
void traces_free(struct traces *t);

/* A call of this host has ended. */
void traces_add(struct traces *t, const char *host_ref, const struct traced_call *call);
/* A span about the traces themselves, with one tag, a comma before it. */
void traces_add_note(struct str *out, const char *name, const char *tag, const char *value);
/* Writes what was added since, and begins to send it; one thread at a time. */
_must_check_ struct error *traces_write(struct traces *t);
