/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/http.h"

#include "base/mem.h"

#include <errno.h>

#define MAX_HEAD_LINE 16384

void http_answer_fini(struct http_answer *a)
{
    free(a->location);
    *a = (struct http_answer){0};
}

void http_client_fini(struct http_client *h)
{
    if (h->channel)
        channel_free(h->channel);
    h->channel = NULL;
}

const char *http_split_url(const char *url, char **ret_host)
{
    const char *start, *slash;

    *ret_host = NULL;
    if (!str_starts(url, "https://") && !str_starts(url, "http://"))
        return url;
    start = strstr(url, "://") + 3;
    slash = strchr(start, '/');
    *ret_host = slash ? xmemdup0(start, (size_t)(slash - start)) : xstrdup(start);
    return slash ? slash : "/";
}

static struct error *connect_local(const struct options *o, struct channel **ret)
{
    struct error *e = channel_open_unix(o->socket, ret);

    if (!e)
        return NULL;
    if (o->socket_is_named) {
        error_free(e);
        return error_text("%s (calling connect )", strerror(ECONNREFUSED));
    }
    /* A host whose socket we may not use may still answer on its loopback. */
    struct error *second = channel_open_tcp("127.0.0.1", o->port ? o->port : 80, NULL, ret);

    error_free(e);
    return second;
}

struct error *http_connect(const struct http_client *h, const char *host, struct channel **ret)
{
    const struct options *o = h->options;

    if (o->only_channel)
        return error_text("Lost connection to the server.");
    if (host) {
        /* Another host of the pool: by the same port and manner as this one. */
        _cleanup_free_ char *name = xstrdup(host);
        char *colon = strrchr(name, ':');
        int port = o->port ? o->port : (o->tls ? 443 : 80);

        if (colon && !strchr(colon, ']')) {
            *colon = '\0';
            port = (int)strtol(colon + 1, NULL, 10);
        }
        return channel_open_tcp(name, (uint16_t)port, o->tls ? &o->known : NULL, ret);
    }
    if (!o->server)
        return connect_local(o, ret);
    return channel_open_tcp(o->server, o->port ? o->port : (o->tls ? 443 : 80),
                            o->tls ? &o->known : NULL, ret);
}

struct error *http_send_head(struct channel *ch, const char *verb, const char *path,
                             const char *host, int64_t length, int64_t from)
{
    _cleanup_str_ struct str head = STR_INIT;

    str_printf(&head, "%s %s HTTP/1.1\r\nhost: %s\r\nuser-agent: xe\r\noriginator: cli\r\n", verb,
               path, host ? host : "localhost");
    if (length >= 0)
        str_printf(&head, "content-length: %lld\r\n", (long long)length);
    if (from)
        str_printf(&head, "range: bytes=%lld-\r\n", (long long)from);
    if (streq(verb, "POST"))
        str_lit(&head, "content-type: application/json\r\n");
    str_lit(&head, "\r\n");
    return channel_write(ch, head.s, head.len);
}

static void read_field(char *line, struct http_answer *a)
{
    char *colon = strchr(line, ':');
    char *value = colon ? colon + 1 : NULL;

    if (!colon)
        return;
    *colon = '\0';
    while (*value == ' ')
        value++;
    if (strcasecmp(line, "content-length") == 0) {
        a->length = strtoll(value, NULL, 10);
    } else if (strcasecmp(line, "connection") == 0) {
        a->close = strcasecmp(value, "close") == 0;
    } else if (strcasecmp(line, "location") == 0) {
        free(a->location);
        a->location = xstrdup(value);
    }
}

struct error *http_read_head(struct channel *ch, struct http_answer *ret)
{
    _cleanup_(http_answer_fini) struct http_answer a = {.length = -1};
    _cleanup_free_ char *first = NULL;

    TRY(channel_read_line(ch, MAX_HEAD_LINE, &first));
    if (!str_starts(first, "HTTP/1.") || strlen(first) < 12)
        return error_text("the server's answer is not HTTP");
    a.status = (int)strtol(first + 9, NULL, 10);
    a.close = first[7] == '0';
    for (;;) {
        _cleanup_free_ char *line = NULL;

        TRY(channel_read_line(ch, MAX_HEAD_LINE, &line));
        if (!*line)
            break;
        read_field(line, &a);
    }
    *ret = a;
    a = (struct http_answer){0};
    return NULL;
}

static struct error *read_body(struct channel *ch, int64_t length, struct str *ret)
{
    if (length > 0)
        str_reserve(ret, (size_t)length);
    while (length < 0 || (int64_t)ret->len < length) {
        size_t want = length < 0 ? 65536 : (size_t)length - ret->len, got;

        str_reserve(ret, want);
        TRY(channel_read(ch, ret->s + ret->len, want, &got));
        if (!got && length < 0)
            break;
        if (!got)
            return error_text("Lost connection to the server.");
        ret->len += got;
    }
    str_add_mem(ret, "", 0);
    return NULL;
}

/* Head and body leave together: one packet, one wake-up of the server. */
static void add_post(struct str *out, const struct options *o, const char *path, const char *body,
                     size_t n)
{
    str_printf(out,
               "POST %s HTTP/1.1\r\nhost: localhost\r\nuser-agent: xe\r\noriginator: cli\r\n"
               "content-type: application/json\r\ncontent-length: %zu\r\n",
               path, n);
    if (o->traceparent)
        str_printf(out, "traceparent: %s\r\n", o->traceparent);
    if (o->baggage)
        str_printf(out, "baggage: %s\r\n", o->baggage);
    str_lit(out, "\r\n");
    str_add_mem(out, body, n);
}

static struct error *read_answer(struct http_client *h, struct str *ret_body)
{
    _cleanup_(http_answer_fini) struct http_answer a = {0};

    if (!h->channel)
        return error_text("Lost connection to the server.");
    TRY(http_read_head(h->channel, &a));
    str_clear(ret_body);
    TRY(read_body(h->channel, a.length, ret_body));
    if (a.close || a.length < 0)
        http_client_fini(h);
    if (a.status != 200)
        return error_text("the server answered HTTP status %d", a.status);
    return NULL;
}

struct error *http_post_all(struct http_client *h, const char *path, char *const *bodies, size_t n,
                            struct str *ret_bodies)
{
    _cleanup_str_ struct str requests = STR_INIT;

    /* The server ends connections that rest for long. */
    if (h->channel && channel_is_ended(h->channel))
        http_client_fini(h);
    if (!h->channel)
        TRY(http_connect(h, NULL, &h->channel));
    for (size_t i = 0; i < n; i++)
        add_post(&requests, h->options, path, bodies[i], strlen(bodies[i]));
    struct error *e = channel_write(h->channel, requests.s, requests.len);

    for (size_t i = 0; i < n && !e; i++)
        e = read_answer(h, &ret_bodies[i]);
    if (e)
        http_client_fini(h);
    return e;
}
