/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The head of an HTTP/1.x request as data: request line, headers, query, cookies. Pure functions
 * over a buffer; the tokenizer behind them is a packaged library that no other file knows.
 *
 * Strings live in the arena given and are NUL-terminated; heads and percent-escapes containing NUL
 * are refused, so nothing is ever cut short. Source of the rules: RFC 9112 (one request line, no
 * folded headers, one content length), and what XenAPI clients send: cookies joined by `; ` or by
 * `&`, CONNECT with a path instead of an authority.
 */

#include "base/arena.h"

#include <stdint.h>

#define HTTP_MAX_HEADERS 100
#define HTTP_MAX_PARAMS  1000 /* of a query; longer ones make the head malformed */

enum http_verb {
    VERB_GET,
    VERB_HEAD,
    VERB_POST,
    VERB_PUT,
    VERB_DELETE,
    VERB_PATCH,
    VERB_OPTIONS,
    VERB_CONNECT,
    VERB_MAX
};

/* A header, query parameter or cookie. */
struct http_field {
    const char *name;
    const char *value;
};

struct http_head {
    enum http_verb verb;
    int minor;                /* HTTP/1.minor: 0 or 1 */
    const char *target;       /* as sent: path and query, still escaped */
    const char *path;         /* decoded, begins with '/', not normalized */
    struct http_field *query; /* decoded ('+' is a space), in order, repeated names kept */
    size_t n_query;
    struct http_field *headers; /* values trimmed, order kept */
    size_t n_headers;
    struct http_field *cookies;
    size_t n_cookies;
    int64_t content_length; /* -1 = not given */
    bool chunked;           /* any transfer-encoding; bodies of that kind are never read here */
    bool keep_alive;        /* HTTP/1.1 and not "connection: close" */
    bool expect_continue;
    bool upgrade_websocket;
};

/*
 * Length of the complete head at the start of the buffer, with its empty line; 0 when more is
 * needed. *scanned remembers what was looked at (start with 0), so that a head which trickles in
 * costs linear time.
 */
size_t http_head_end(const char *buf, size_t len, size_t *scanned);

/* Parses a complete head of `len` bytes. 0, or the status to refuse it with: 400, 431, 501, 505. */
int http_head_parse(struct arena *a, const char *buf, size_t len, struct http_head *ret);

/* Case-insensitive; NULL when absent. The first of several. */
const char *http_header_find(const struct http_head *h, const char *name);
/* Case-sensitive; NULL when absent. The first of several. */
const char *http_query_find(const struct http_head *h, const char *name);
const char *http_cookie_find(const struct http_head *h, const char *name);
/* Is `token` one of the comma-separated words of the header (case-insensitive)? */
bool http_header_has_token(const struct http_head *h, const char *name, const char *token);
/* User name and password of an `Authorization: Basic` header. False when absent or malformed. */
bool http_basic_auth(struct arena *a, const struct http_head *h, const char **ret_user,
                     const char **ret_password);

const char *http_verb_name(enum http_verb verb);
/* Reason phrase, "Unknown" when not known. */
const char *http_status_name(int status);

/* Decodes %XX in place; false, and nothing changed, on a broken escape or %00. */
bool http_unescape(char *s, bool plus_is_space);
