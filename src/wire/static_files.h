/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Files of the web page. `.` and `..` are resolved, leaving the directory is 403 (symbolic links
 * included), a directory answers its index.html, what is absent is a 404 page. The content type
 * follows the name.
 */

#include "wire/server.h"

enum plain_http_policy {
    PLAIN_SERVE,    /* files go out over plain HTTP too */
    PLAIN_REDIRECT, /* 301 to https on the same host; 403 without a Host header */
    PLAIN_REFUSE,   /* 403 */
};

struct static_files;

_must_check_ struct error *static_files_new(const char *dir, struct static_files **ret);
void static_files_free(struct static_files *f);
/* What a plain TCP client gets (unix clients are always served). Any thread. */
void static_files_set_policy(struct static_files *f, enum plain_http_policy policy);
/* Where PLAIN_REDIRECT leads; 443 unless it is told. Any thread. */
void static_files_set_tls_port(struct static_files *f, uint16_t port);
/* Strict-Transport-Security: max-age; -1 = not sent. Any thread. */
void static_files_set_hsts(struct static_files *f, int64_t max_age_s);

/* The handler for routes of GET and HEAD; ctx is the struct static_files. */
void static_files_serve(void *ctx, struct http_request *rq);
