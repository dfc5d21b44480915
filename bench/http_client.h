/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The client side of the load programs: a keep-alive connection over a unix socket or loopback
 * TCP, one request at a time, answers with Content-Length. What goes wrong ends the program, since
 * a load test that lost a connection has measured nothing.
 */

#include "base/str.h"

struct http_conn {
    int fd;
    struct str in;      /* what was read of the answer; a dropped body is counted only */
    size_t head;        /* length of the answer's head, 0 = not whole yet */
    size_t body;        /* length of its body */
    size_t got;         /* bytes of the body so far */
    bool keep;          /* keep bodies: readable with http_body until the next request */
    const char *expect; /* must stand in the first bytes of each body; NULL = anything goes */
    double sent;        /* when the last request went out, seconds */
};

double bench_now(void); /* seconds of the monotonic clock */
_noreturn_ void bench_die(const char *fmt, ...) _printf_(1, 2);

/* where: the path of a unix socket, or a port on loopback */
void http_connect(struct http_conn *c, const char *where);
void http_close(struct http_conn *c);
/* Text of a request; body NULL = GET. */
void http_request(struct str *out, const char *path, const char *body, size_t len);
void http_send(struct http_conn *c, const struct str *request);
/* Reads what is there, or waits for something; true when the answer is whole. */
bool http_receive(struct http_conn *c);
/* The whole answer. */
void http_await(struct http_conn *c);
const char *http_body(struct http_conn *c);
