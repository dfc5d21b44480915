/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Callers of plans that began in another program: their plans may end before their connections have
 * come over, so an outcome is kept until its caller asks for it. Any thread.
 */

#include "base/error.h"

#include <jansson.h>

struct callers;

struct callers *callers_new(void);
void callers_free(struct callers *c);

/* Somebody will ask for the end of this task's plan. */
void callers_expect(struct callers *c, const char *task);
/* Calls fn with the task of everybody who has not asked yet. */
void callers_each_missing(struct callers *c, void (*fn)(void *ctx, const char *task), void *ctx);
/* What engine_start is to be told of this plan; NULL if nobody is expected. */
struct caller *callers_find(struct callers *c, const char *task);
/* The `done` of such a plan; ctx is the caller. */
void caller_done(void *caller, const struct error *error, json_t *result);
/* done(ctx, ...) is called once, as by engine_start, perhaps before this returns. False: nobody was
 * expected for this task. */
bool callers_ask(struct callers *c, const char *task,
                 void (*done)(void *ctx, const struct error *error, json_t *result), void *ctx);
