/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a taken-over QEMU may say to hostd: the client neither falls nor waits for ever. */
#include "base/cleanup.h"
#include "fuzz/fuzz.h"
#include "hv/qmp.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

static void on_event(void *arg, const char *event, json_t *data, int64_t time_us)
{
    *(size_t *)arg += event != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct qmp_loop *loop;
    struct qmp *q = NULL;
    size_t events = 0;
    json_t *answer = NULL;
    int ends[2];

    if (!loop)
        loop = qmp_loop_start();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return 0;
    assert(send(ends[1], data, size, MSG_NOSIGNAL) == (ssize_t)size);
    shutdown(ends[1], SHUT_WR);
    struct error *e = qmp_open(loop, ends[0], 2000000, on_event, &events, &q);

    if (!e) {
        e = qmp_run(q, "query-status", NULL, 2000000, &answer);
        json_decref(answer);
    }
    assert(!e || e->errnum != ETIMEDOUT);
    error_free(e);
    qmp_close(q);
    close(ends[1]);
    return 0;
}
