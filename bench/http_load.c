/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests per second over a unix socket or loopback TCP, which the usual load generators cannot
 * do alike: N keep-alive connections from one thread, each sending its next request when the
 * answer is whole.
 *   http_load [-c CONNECTIONS] [-t SECONDS] [-p PATH] SOCKET|PORT
 */
#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

struct client {
    int fd;
    char buf[65536];
    size_t have;
    double sent;
};

static char request[1024];
static size_t request_len;

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

_noreturn_ static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int connect_to(const char *where)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(where, NULL, 10)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_path = strchr(where, '/') != NULL;
    int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (is_path)
        memcpy(path.sun_path, where, MIN(strlen(where), sizeof(path.sun_path) - 1));
    if (fd < 0 || connect(fd, is_path ? (struct sockaddr *)&path : (struct sockaddr *)&port,
                          is_path ? sizeof(path) : sizeof(port)) < 0)
        die("cannot connect");
    return fd;
}

static void send_request(struct client *c)
{
    c->sent = now();
    if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
        die("cannot send");
}

/* Length of the whole answer; 0 = more is to come. Any capitals in the header's name. */
static size_t answer_length(struct client *c)
{
    c->buf[c->have] = 0;
    char *end = strstr(c->buf, "\r\n\r\n");

    if (!end)
        return 0;
    char *length = strcasestr(c->buf, "\ncontent-length:");

    if (!length || length > end || strncmp(c->buf, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "unexpected answer: %.200s\n", c->buf);
        exit(1);
    }
    size_t whole = (size_t)(end + 4 - c->buf) + strtoul(length + 16, NULL, 10);

    return c->have >= whole ? whole : 0;
}

static bool receive(struct client *c)
{
    ssize_t n = recv(c->fd, c->buf + c->have, sizeof(c->buf) - 1 - c->have, 0);

    if (n <= 0)
        die("the server has closed");
    c->have += (size_t)n;
    size_t whole = answer_length(c);

    if (!whole)
        return false;
    c->have -= whole;
    memmove(c->buf, c->buf + whole, c->have);
    return true;
}

static int compare(const void *a, const void *b)
{
    const float *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void run(const char *where, unsigned n, double seconds)
{
    struct client *clients = xnew_array(struct client, n);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    size_t max = 8u << 20, count = 0;
    float *times = xnew_array(float, max);

    for (unsigned i = 0; i < n; i++) {
        clients[i].fd = connect_to(where);
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &clients[i]};

        epoll_ctl(ep, EPOLL_CTL_ADD, clients[i].fd, &ev);
        send_request(&clients[i]);
    }
    double start = now(), end = start + seconds, t;

    while ((t = now()) < end) {
        struct epoll_event evs[64];
        int got = epoll_wait(ep, evs, 64, 1000);

        for (int i = 0; i < got; i++) {
            struct client *c = evs[i].data.ptr;

            if (!receive(c))
                continue;
            if (count < max)
                times[count] = (float)(now() - c->sent);
            count++;
            send_request(c);
        }
    }
    size_t kept = MIN(count, max);

    qsort(times, kept, sizeof(*times), compare);
    printf("%u connections: %.0f requests/s, p50 %.0f us, p99 %.0f us\n", n,
           (double)count / (t - start), kept ? (double)times[kept / 2] * 1e6 : 0,
           kept ? (double)times[kept * 99 / 100] * 1e6 : 0);
    free(times);
    free(clients);
}

int main(int argc, char **argv)
{
    const char *path = "/hello";
    unsigned n = 1;
    double seconds = 3;
    int c;

    while ((c = getopt(argc, argv, "c:t:p:")) >= 0) {
        if (c == 'c')
            n = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 't')
            seconds = strtod(optarg, NULL);
        else if (c == 'p')
            path = optarg;
        else
            return 2;
    }
    if (optind + 1 != argc || !n || n > 10000)
        return 2;
    int len =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

    request_len = (size_t)len;
    run(argv[optind], n, seconds);
    return 0;
}
