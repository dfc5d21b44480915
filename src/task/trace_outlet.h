/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Spans on their way to one web address: a bounded queue, and one batch under way. hostd sends it
 * (trace_send), since xenolithd connects to nothing. A collector that refuses a batch loses it; one
 * that does not answer gets it again, after pauses that double up to a minute. What does not fit
 * into the queue meanwhile is left out and counted: the next batch that arrives has a span
 * "traces.left_out" with the number in its tag "spans".
 *
 * Any thread. Nothing here waits for the collector but a thread of the workers.
 */

#include <stddef.h>

struct hostd;
struct trace_outlet;
struct workers;

/* Of each, the queue and the batch under way. */
#define TRACE_QUEUE_MAX (400u << 10)

struct trace_outlet *trace_outlet_new(struct hostd *hostd, struct workers *workers,
                                      const char *url);
/* Sends no more, once what is under way has ended. */
void trace_outlet_unref(struct trace_outlet *o);
const char *trace_outlet_url(const struct trace_outlet *o);

/* A span as JSON, with a comma before it. */
void trace_outlet_add(struct trace_outlet *o, const char *span, size_t n);
/* Begins to send what waits, unless it is too early after a failure. */
void trace_outlet_send(struct trace_outlet *o);
