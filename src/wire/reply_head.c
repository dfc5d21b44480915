/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/reply_head.h"

#include <assert.h>

#define ADD(p, literal) add((p), "" literal, sizeof(literal) - 1)

#define FIXED 256 /* status line, our own headers and the empty line take less */

static char *add(char *p, const char *s, size_t n)
{
    memcpy(p, s, n);
    return p + n;
}

static char *add_number(char *p, uint64_t n)
{
    char digits[20];
    size_t i = sizeof(digits);

    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    return add(p, digits + i, sizeof(digits) - i);
}

static char *add_value(char *p, const char *value)
{
    for (; *value && ((unsigned char)*value >= ' ' || *value == '\t') && *value != 0x7f; value++)
        *p++ = *value;
    return ADD(p, "\r\n");
}

static char *add_status(char *p, int minor, int status)
{
    const char *name = http_status_name(status);

    assert(status >= 100 && status <= 999);
    p = minor ? ADD(p, "HTTP/1.1 ") : ADD(p, "HTTP/1.0 ");
    p = add_number(p, (uint64_t)status);
    *p++ = ' ';
    p = add(p, name, strlen(name));
    return ADD(p, "\r\n");
}

struct iovec reply_head(struct arena *a, int minor, const struct http_reply *reply, int64_t length,
                        bool close)
{
    size_t room = FIXED + (reply->type ? strlen(reply->type) : 0);

    for (size_t i = 0; i < reply->n_headers; i++)
        room += strlen(reply->headers[i].name) + strlen(reply->headers[i].value) + 4;
    char *start = arena_alloc(a, room);
    char *p = add_status(start, minor, reply->status);

    if (length >= 0) {
        p = ADD(p, "content-length: ");
        p = add_number(p, (uint64_t)length);
        p = ADD(p, "\r\n");
    }
    if (reply->type) {
        p = ADD(p, "content-type: ");
        p = add_value(p, reply->type);
    }
    if (reply->status != 101) /* there the handler names what is upgraded */
        p = close ? ADD(p, "connection: close\r\n") : ADD(p, "connection: keep-alive\r\n");
    p = ADD(p, "cache-control: no-cache, no-store\r\n");
    for (size_t i = 0; i < reply->n_headers; i++) {
        p = add(p, reply->headers[i].name, strlen(reply->headers[i].name));
        p = ADD(p, ": ");
        p = add_value(p, reply->headers[i].value);
    }
    p = ADD(p, "\r\n");
    assert((size_t)(p - start) <= room);
    return (struct iovec){start, (size_t)(p - start)};
}
