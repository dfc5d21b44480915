/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/thin_wire.h"

#include "base/mem.h"

#define GREETING "XenSource thin CLI protocol"
#define MAJOR    0
#define MINOR    2

/* Kinds of payloads, and what an answer says. */
enum { COMMAND = 9, RESPONSE = 10, BLOB = 11 };
enum { SAYS_OK = 5, SAYS_FAILED = 6, SAYS_CHUNK = 7, SAYS_END = 8, SAYS_WAIT = 18 };

#define MAX_PAYLOAD 12u /* a chunk: kind, what it is, its length */

static void add_int(struct str *out, uint32_t v)
{
    const unsigned char p[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                                (unsigned char)(v >> 24)};

    str_add_mem(out, p, sizeof(p));
}

static uint32_t get_int(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

void thin_add_hello(struct str *out)
{
    str_lit(out, GREETING);
    add_int(out, MAJOR);
    add_int(out, MINOR);
}

static void add_head(struct str *out, size_t payload, enum thin_command command)
{
    add_int(out, (uint32_t)payload + 8);
    add_int(out, COMMAND);
    add_int(out, command);
}

void thin_add_text(struct str *out, enum thin_command command, const char *text, size_t n)
{
    add_head(out, 4 + n, command);
    add_int(out, (uint32_t)n);
    str_add_mem(out, text, n);
}

void thin_add_command(struct str *out, enum thin_command command, const char *one, const char *two)
{
    const char *const texts[] = {one, two};
    size_t payload = 0;

    for (int i = 0; i < 2 && texts[i]; i++)
        payload += 4 + strlen(texts[i]);
    add_head(out, payload, command);
    for (int i = 0; i < 2 && texts[i]; i++) {
        add_int(out, (uint32_t)strlen(texts[i]));
        str_add(out, texts[i]);
    }
}

void thin_add_exit(struct str *out, int code)
{
    add_head(out, 4, THIN_EXIT);
    add_int(out, (uint32_t)code);
}

static struct error *broken(void)
{
    return error_text("the client does not keep to the protocol");
}

struct error *thin_read_hello(const char *p)
{
    if (memcmp(p, GREETING, sizeof(GREETING) - 1) != 0)
        return broken();
    if (get_int(p + sizeof(GREETING) - 1) != MAJOR)
        return error_text("the client speaks another version of the protocol");
    return NULL;
}

static bool read_response(uint32_t says, struct thin_message *ret)
{
    switch (says) {
    case SAYS_OK:
        ret->answer = THIN_OK;
        return true;
    case SAYS_WAIT:
        ret->answer = THIN_WAIT;
        return true;
    case SAYS_FAILED:
        ret->answer = THIN_FAILED;
        return true;
    default:
        return false;
    }
}

static bool read_payload(const char *p, uint32_t n, struct thin_message *ret)
{
    uint32_t kind = get_int(p), says = get_int(p + 4);

    if (kind == RESPONSE)
        return n == 8 && read_response(says, ret);
    if (kind != BLOB)
        return false;
    ret->answer = says == SAYS_CHUNK ? THIN_CHUNK : THIN_END;
    if (says == SAYS_END)
        return n == 8;
    if (says != SAYS_CHUNK || n != 12)
        return false;
    ret->n = get_int(p + 8);
    return ret->n <= INT32_MAX;
}

struct error *thin_read_message(const char *p, size_t n, struct thin_message *ret, size_t *ret_used)
{
    *ret_used = 0;
    *ret = (struct thin_message){0};
    if (n < 4)
        return NULL;
    uint32_t payload = get_int(p);

    if (payload < 8 || payload > MAX_PAYLOAD)
        return broken();
    if (n - 4 < payload)
        return NULL;
    if (!read_payload(p + 4, payload, ret))
        return broken();
    *ret_used = 4 + payload;
    return NULL;
}

void thin_request_fini(struct thin_request *r)
{
    free(r->session);
    vec_foreach (arg, &r->args)
        free(*arg);
    vec_fini(&r->args);
}

/* Empty lines are no arguments: some clients end the last one. */
static void add_line(struct thin_request *r, const char *line, size_t n, bool first)
{
    static const char session[] = "session_id=";

    if (n && line[n - 1] == '\r')
        n--;
    if (!n)
        return;
    char *arg = xmemdup0(line, n);

    if (first && str_starts(arg, session)) {
        r->session = xstrdup(arg + strlen(session));
        free(arg);
    } else {
        vec_add(&r->args, arg);
    }
}

struct error *thin_read_request(const char *body, size_t n, struct thin_request *ret)
{
    *ret = (struct thin_request){0};
    if (n > THIN_MAX_BODY || memchr(body, 0, n))
        return broken();
    for (size_t at = 0; at < n;) {
        const char *lf = memchr(body + at, '\n', n - at);
        size_t len = lf ? (size_t)(lf - body) - at : n - at;

        add_line(ret, body + at, len, at == 0);
        at += len + 1;
    }
    return NULL;
}
