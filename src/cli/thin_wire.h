/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The thin-CLI protocol of XenAPI servers (POST /cli): the server decides everything, the client
 * prints, asks and moves files. Integers are four bytes, little endian; a text is its length and
 * its bytes; a message is the length of its payload and the payload.
 *
 * What comes from a client is read here: arguments, greeting, answers. No I/O.
 */

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdint.h>

#define THIN_MAX_BODY  204800u /* arguments, all together */
#define THIN_HELLO_LEN 35u     /* the greeting and two numbers */

enum thin_command {
    THIN_PRINT = 0,
    THIN_LOAD = 1,
    THIN_PROMPT = 3,
    THIN_EXIT = 4,
    THIN_HTTP_GET = 12,
    THIN_HTTP_PUT = 13,
    THIN_PRINT_STDERR = 16,
    THIN_HTTP_CONNECT = 17,
};

enum thin_answer { THIN_OK, THIN_WAIT, THIN_FAILED, THIN_CHUNK, THIN_END };

struct thin_message {
    enum thin_answer answer;
    uint32_t n; /* of a chunk: so many bytes follow the message */
};

void thin_add_hello(struct str *out);
/* A command with up to two texts; NULL = it has no more. */
void thin_add_command(struct str *out, enum thin_command command, const char *one, const char *two);
/* Print or PrintStderr with a text that may hold any byte. */
void thin_add_text(struct str *out, enum thin_command command, const char *text, size_t n);
void thin_add_exit(struct str *out, int code);

/* The greeting of a client, THIN_HELLO_LEN bytes. Another major version fails. */
_must_check_ struct error *thin_read_hello(const char *p);
/* One message from the first n bytes; *ret_used 0: more are needed. */
_must_check_ struct error *thin_read_message(const char *p, size_t n, struct thin_message *ret,
                                             size_t *ret_used);

struct thin_request {
    char *session; /* to be used instead of a login; NULL = none */
    struct VEC(char *) args;
};

/* The arguments, one a line. */
_must_check_ struct error *thin_read_request(const char *body, size_t n, struct thin_request *ret);
void thin_request_fini(struct thin_request *r);
