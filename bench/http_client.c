/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define READ_SIZE 262144
#define LOOK_IN   512 /* `expect` stands in this much of a body */

double bench_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void bench_die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

void http_connect(struct http_conn *c, const char *where)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(where, NULL, 10)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_path = strchr(where, '/') != NULL;
    size_t len = strlen(where);

    if (is_path && len >= sizeof(path.sun_path))
        bench_die("%s: too long for the name of a socket", where);
    if (is_path)
        memcpy(path.sun_path, where, len + 1);
    c->fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, is_path ? (struct sockaddr *)&path : (struct sockaddr *)&port,
                             is_path ? sizeof(path) : sizeof(port)) < 0)
        bench_die("cannot connect to %s: %s", where, strerror(errno));
    str_reserve(&c->in, READ_SIZE);
}

void http_close(struct http_conn *c)
{
    close(c->fd);
    str_fini(&c->in);
}

void http_request(struct str *out, const char *path, const char *body, size_t len)
{
    str_clear(out);
    if (!body) {
        str_printf(out, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
        return;
    }
    str_printf(out, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", path,
               len);
    str_add_mem(out, body, len);
}

void http_send(struct http_conn *c, const struct str *request)
{
    str_clear(&c->in);
    c->head = c->got = 0;
    c->sent = bench_now();
    if (send(c->fd, request->s, request->len, MSG_NOSIGNAL) != (ssize_t)request->len)
        bench_die("cannot send: %s", strerror(errno));
}

/* Status 200 and a Content-Length; any capitals in the header's name. */
static bool parse_head(struct http_conn *c)
{
    const char *end = memmem(c->in.s, c->in.len, "\r\n\r\n", 4);

    if (!end)
        return false;
    c->head = (size_t)(end + 4 - c->in.s);
    _cleanup_free_ char *head = xmemdup0(c->in.s, c->head);
    const char *length = strcasestr(head, "\ncontent-length:");

    if (!length || strncmp(head, "HTTP/1.1 200", 12) != 0)
        bench_die("unexpected answer: %.300s", head);
    c->body = strtoul(length + 16, NULL, 10);
    c->got = c->in.len - c->head;
    return true;
}

static void check_body(struct http_conn *c)
{
    size_t there = MIN(c->in.len - c->head, LOOK_IN);

    if (c->expect && !memmem(c->in.s + c->head, there, c->expect, strlen(c->expect)))
        bench_die("unexpected answer: %.*s", (int)there, c->in.s + c->head);
}

bool http_receive(struct http_conn *c)
{
    bool drop = c->head && !c->keep && c->in.len >= c->head + MIN(c->body, LOOK_IN);
    static char scrap[READ_SIZE];

    if (!drop)
        str_reserve(&c->in, READ_SIZE);
    char *to = drop ? scrap : c->in.s + c->in.len;
    ssize_t n = recv(c->fd, to, READ_SIZE - 1, 0);

    if (n <= 0)
        bench_die("the server has closed the connection: %s", n ? strerror(errno) : "end of file");
    if (!drop)
        c->in.len += (size_t)n;
    if (c->head)
        c->got += (size_t)n;
    else if (!parse_head(c))
        return false;
    if (c->got < c->body)
        return false;
    check_body(c);
    return true;
}

void http_await(struct http_conn *c)
{
    while (!http_receive(c))
        ;
}

const char *http_body(struct http_conn *c)
{
    str_reserve(&c->in, 1);
    c->in.s[c->in.len] = 0;
    return c->in.s + c->head;
}
