/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A session with a server and the calls in it, as JSON-RPC 2.0. Everything a call may answer with
 * is turned into struct error: API errors keep code and parameters. One thread.
 */

#include "base/str.h"
#include "cli/front.h"
#include "cli/http.h"
#include "value/json.h"

struct client {
    struct front *front;           /* borrowed */
    const struct options *options; /* borrowed */
    struct http_client http;
    char *session;      /* NULL = not logged in */
    bool json;          /* what is shown is for programs */
    bool keeps_session; /* it was given to us: it stays */
    bool local;         /* a session of the host alone, for emergencies */
};

void client_init(struct client *c, const struct options *o, struct front *front);
/* Logs out, as far as that goes. */
void client_fini(struct client *c);

/* Logs in unless that was done: every call does it by itself. */
_must_check_ struct error *client_login(struct client *c);

/*
 * Calls a message. `fmt` says what follows in the manner of json_pack: s b I f o n [] {}; the
 * session is put in front. The answer belongs to the caller; ret may be NULL.
 */
_must_check_ struct error *call(struct client *c, json_t **ret, const char *message,
                                const char *fmt, ...);
/* The same with the arguments in an array, which is taken over. */
_must_check_ struct error *call_array(struct client *c, json_t **ret, const char *message,
                                      json_t *args);
/* For answers that must be texts. */
_must_check_ struct error *call_string(struct client *c, char **ret, const char *message,
                                       const char *fmt, ...);
/* The answer as it came: *ret_text holds the whole envelope. Failures are found all the same. */
_must_check_ struct error *call_text(struct client *c, struct str *ret_text, const char *message,
                                     json_t *args);

/* Messages without arguments, all asked at once: one round trip. The first failure counts. */
_must_check_ struct error *call_texts(struct client *c, struct str *ret_texts,
                                      char *const *messages, size_t n);

/* The same with one reference each. */
_must_check_ struct error *call_texts_of(struct client *c, struct str *ret_texts,
                                         char *const *messages, char *const *refs, size_t n);

/* Reference of the object of a class with that uuid. */
_must_check_ struct error *ref_of(struct client *c, const char *cls, const char *uuid, char **ret);
_must_check_ struct error *uuid_of(struct client *c, const char *cls, const char *ref, char **ret);
_must_check_ struct error *the_pool(struct client *c, char **ret);
/* The host that leads the pool. */
_must_check_ struct error *leading_host(struct client *c, char **ret);

/* "uuid (name)" of a reference whose class is not known; NULL if there is no such object. */
char *client_describe(struct client *c, const char *ref);

/* Member of an object as text, "" if it is absent or none. */
const char *text_of(const json_t *object, const char *member);
bool is_true(const json_t *object, const char *member);
