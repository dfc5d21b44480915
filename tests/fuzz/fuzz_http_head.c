/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Request heads: the end is the same however they arrive, and what is accepted keeps its promises.
 */
#include "fuzz/fuzz.h"
#include "wire/http_head.h"

#include <assert.h>
#include <jansson.h>

static void check_fields(const struct http_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert(strlen(fields[i].name) + strlen(fields[i].value) < (1u << 20));
}

static void check_text(const char *s)
{
    json_t *j = json_string(s); /* knows UTF-8 by itself */

    assert(j);
    json_decref(j);
}

static void check_head(struct arena *a, const struct http_head *h)
{
    const char *user, *password;

    assert(h->verb < VERB_MAX && (h->minor == 0 || h->minor == 1));
    assert(h->path[0] == '/' && h->target[0]);
    assert(h->content_length >= -1);
    assert(h->n_headers <= HTTP_MAX_HEADERS && h->n_query <= HTTP_MAX_PARAMS);
    assert(!(h->chunked && h->content_length >= 0));
    check_fields(h->headers, h->n_headers);
    check_fields(h->query, h->n_query);
    check_fields(h->cookies, h->n_cookies);
    for (size_t i = 0; i < h->n_headers; i++) {
        assert(!strpbrk(h->headers[i].name, " \t\r\n:") && h->headers[i].name[0]);
        assert(!strpbrk(h->headers[i].value, "\r\n"));
        assert(http_header_find(h, h->headers[i].name));
    }
    for (size_t i = 0; i < h->n_query; i++) {
        check_text(h->query[i].name);
        check_text(h->query[i].value);
    }
    if (http_basic_auth(a, h, &user, &password))
        assert(!strchr(user, ':'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    const char *text = (const char *)data;
    size_t scanned = 0, end = 0, whole = 0;
    struct http_head h;

    for (size_t have = 1; !end && have <= size; have++)
        end = http_head_end(text, have, &scanned);
    assert(end == http_head_end(text, size, &whole));
    int status = http_head_parse(&a, text, end ? end : size, &h);

    assert(status == 0 || status == 400 || status == 431 || status == 501 || status == 505);
    assert(end || status);
    if (status == 0)
        check_head(&a, &h);
    return 0;
}
