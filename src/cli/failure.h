/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How a command fails. API errors come from the server; a text without errno is a failure of xe
 * ("Error: text"). Three pseudo codes travel as API errors inside the client only.
 */

#include "base/error.h"
#include "base/str.h"

struct client;
struct front;

/* "prefix: text" and the line that tells of help; prefix may be "". */
_malloc_ struct error *fail_usage(const char *prefix, const char *text);
/* Everything has been said: ends with that exit code. */
_malloc_ struct error *fail_exit(int code);
/* A code without a sentence, as the API has none: "Error code: X". */
_malloc_ struct error *fail_code(const char *code, const char *param);

/* The sentence for an API error and a line for each parameter, or the text of a failure; without
 * a newline at the end. References are shown as uuid and name; c may be NULL: then as they are. */
void failure_text(struct client *c, const struct error *e, struct str *out);
/* Tells it the user; the exit code. */
int failure_tell(struct front *f, struct client *c, const struct error *e);
