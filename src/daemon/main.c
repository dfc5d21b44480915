/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenolithd: starts the parts, waits for a signal, stops them. */
#include "base/log.h"
#include "daemon/parts.h"

#include <pthread.h>
#include <signal.h>

static int fail(struct error *e)
{
    log_and_free(LOG_ERROR, e, "cannot start");
    return 1;
}

int main(int argc, char **argv)
{
    struct options o;
    struct parts p;
    sigset_t signals;
    int sig;

    log_init("xenolithd");
    struct error *e = options_parse(argc, argv, &o);

    if (e)
        return fail(e);
    log_set_level(o.debug ? LOG_DEBUG : LOG_INFO);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by all threads */
    e = parts_start(&p, &o);
    if (e) {
        parts_stop(&p);
        return fail(e);
    }
    log_info("ready");
    sigwait(&signals, &sig);
    log_info("stopping");
    parts_stop(&p);
    return 0;
}
