/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests per second over a unix socket or loopback TCP: N keep-alive connections from one
 * thread, each sending its next request when the answer is whole.
 *
 *   http_load [-c CONNECTIONS] [-t SECONDS | -n REQUESTS] [-p PATH] [-b FILE] [-w WORD] SOCKET|PORT
 *
 * -b posts the file instead of a GET; -w: the word must stand in the beginning of every answer.
 * Prints one line of name=value.
 */
#include "base/io.h"
#include "base/vec.h"
#include "http_client.h"

#include <sys/epoll.h>

#define TIMES_MAX (8u << 20)

struct load {
    const char *where;
    const char *path;
    const char *file;
    const char *expect;
    unsigned n;
    double seconds;
    unsigned long requests; /* 0 = as many as fit into the time */
    unsigned long sent, done;
    unsigned long long bytes; /* of bodies */
    struct str request;
    struct VEC(float) times;
};

static int compare(const void *a, const void *b)
{
    const float *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void send_next(struct load *l, struct http_conn *c)
{
    if (l->requests && l->sent >= l->requests)
        return;
    l->sent++;
    http_send(c, &l->request);
}

static void on_readable(struct load *l, struct http_conn *c)
{
    if (!http_receive(c))
        return;
    if (l->times.n < TIMES_MAX)
        vec_add(&l->times, (float)(bench_now() - c->sent));
    l->done++;
    l->bytes += c->body;
    send_next(l, c);
}

static void loop(struct load *l, int ep, double end)
{
    struct epoll_event evs[64];

    while (l->requests ? l->done < l->requests : bench_now() < end) {
        int got = epoll_wait(ep, evs, 64, 10000);

        if (got == 0)
            bench_die("no answer for 10 seconds");
        for (int i = 0; i < got; i++)
            on_readable(l, evs[i].data.ptr);
    }
}

static void run(struct load *l)
{
    struct http_conn *conns = xnew_array(struct http_conn, l->n);
    int ep = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned i = 0; i < l->n; i++) {
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &conns[i]};

        http_connect(&conns[i], l->where);
        conns[i].expect = l->expect;
        epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &ev);
    }
    double start = bench_now();

    for (unsigned i = 0; i < l->n; i++)
        send_next(l, &conns[i]);
    loop(l, ep, start + l->seconds);
    double took = bench_now() - start;
    size_t n = l->times.n;

    qsort(l->times.v, n, sizeof(*l->times.v), compare);
    printf(
        "connections=%u requests=%lu seconds=%.6f rate=%.1f bytes=%llu p50_us=%.1f p99_us=%.1f\n",
        l->n, l->done, took, (double)l->done / took, l->bytes,
        n ? (double)l->times.v[n / 2] * 1e6 : 0, n ? (double)l->times.v[n * 99 / 100] * 1e6 : 0);
    for (unsigned i = 0; i < l->n; i++)
        http_close(&conns[i]);
    close(ep);
    free(conns);
    vec_fini(&l->times);
}

static bool parse(int argc, char **argv, struct load *l)
{
    int c;

    while ((c = getopt(argc, argv, "c:t:n:p:b:w:")) >= 0) {
        if (c == 'c')
            l->n = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 't')
            l->seconds = strtod(optarg, NULL);
        else if (c == 'n')
            l->requests = strtoul(optarg, NULL, 10);
        else if (c == 'p')
            l->path = optarg;
        else if (c == 'b')
            l->file = optarg;
        else if (c == 'w')
            l->expect = optarg;
        else
            return false;
    }
    if (optind + 1 != argc || !l->n || l->n > 10000)
        return false;
    l->where = argv[optind];
    return true;
}

int main(int argc, char **argv)
{
    struct load l = {.path = "/", .n = 1, .seconds = 3};
    struct str body = STR_INIT;

    if (!parse(argc, argv, &l)) {
        fputs("usage: http_load [-c CONNECTIONS] [-t SECONDS | -n REQUESTS] [-p PATH] [-b FILE]"
              " [-w WORD] SOCKET|PORT\n",
              stderr);
        return 2;
    }
    struct error *e = l.file ? io_read_file(l.file, 16u << 20, &body) : NULL;

    if (e)
        bench_die("cannot read %s", l.file);
    http_request(&l.request, l.path, l.file ? str_cstr(&body) : NULL, body.len);
    run(&l);
    str_fini(&l.request);
    str_fini(&body);
    return 0;
}
