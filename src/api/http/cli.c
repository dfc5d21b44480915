/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POST /cli: a command of xe for a thin client. The arguments are the body; what follows is the
 * thin-CLI protocol, not HTTP. A worker of its own speaks it (src/cli/thin_main.c) over a socket
 * that is relayed here, and makes its calls on a connection that counts as this client's: with the
 * same address, and on the local socket the same trust.
 */
#include "api/http/transfers.h"
#include "base/world.h"
#include "gen/errors.h"
#include "wire/relay.h"

#include <errno.h>
#include <sys/socket.h>

#define BODY_US (60 * SECOND_US)
#define QUIET_US                                                                                   \
    (86400 * SECOND_US) /* commands may wait for long; whoever is silent for a day is gone */

static struct error *check_length(struct transfer *t, uint32_t *ret)
{
    int64_t n = t->rq->head.content_length;

    if (n >= 0 && n <= HTTP_CLI_MAX_BODY) {
        *ret = (uint32_t)n;
        return NULL;
    }
    t->status = n < 0 ? 411 : 500;
    return err_invalid_value("content-length",
                             n < 0 ? "" : arena_printf(&t->arena, "%lld", (long long)n));
}

static struct error *socket_pair(int *ret_ours, int *ret_theirs)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket");
    *ret_ours = pair[0];
    *ret_theirs = pair[1];
    return NULL;
}

/* *ret leads to a worker whose calls are the client's. */
static struct error *start_worker(struct transfer *t, int *ret)
{
    _cleanup_close_ int cli = -1, cli_theirs = -1, calls = -1, calls_theirs = -1;
    const struct daemon *d = t->daemon;

    TRY(socket_pair(&cli, &cli_theirs));
    TRY(socket_pair(&calls, &calls_theirs));
    TRY(d->start_cli(d->start_cli_ctx, (const int[]){cli_theirs, calls_theirs}));
    struct given g = {.fd = TAKE_FD(calls), .peer = *t->rq->peer, .bytes = "", .resume = ""};

    server_adopt(d->server, &g);
    *ret = TAKE_FD(cli);
    return NULL;
}

/* A worker that is gone is noticed when its answer is relayed. */
static bool write_some(int fd, const void *p, size_t n)
{
    return send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static struct error *pass_body(struct transfer *t, int fd, uint32_t n)
{
    char *body = arena_alloc(&t->arena, n + 1);
    size_t done = 0;

    stream_set_timeouts(t->stream, BODY_US, BODY_US);
    while (done < n) {
        size_t got;

        TRY(stream_read(t->stream, body + done, n - done, &got));
        if (!got)
            return error_text("the arguments end early");
        done += got;
    }
    const unsigned char length[4] = {(unsigned char)n, (unsigned char)(n >> 8),
                                     (unsigned char)(n >> 16), (unsigned char)(n >> 24)};

    if (!write_some(fd, length, sizeof(length)) || !write_some(fd, body, n))
        return error_text("the worker ended");
    return NULL;
}

static struct error *cli(struct transfer *t)
{
    _cleanup_close_ int fd = -1;
    uint32_t n;

    TRY(check_length(t, &n));
    struct error *e = start_worker(t, &fd);

    if (e) {
        t->status = 503;
        return e;
    }
    transfers_set_stream(t, http_take(t->rq));
    transfer_begun(t);
    TRY(pass_body(t, fd, n));
    return relay_stream(t->stream, fd, QUIET_US, NULL);
}

/* The worker logs in, or is refused, as any client. */
static bool to_anybody(const struct transfer *t)
{
    return true;
}

const struct transfer_kind transfer_cli = {
    .action = HTTP_POST_CLI, .is_open = to_anybody, .run = cli};
