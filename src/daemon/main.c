/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenolithd: starts the parts, waits for a signal, stops them or hands them over. */
#include "base/log.h"
#include "base/mem.h"
#include "daemon/hand_over.h"
#include "daemon/launcher.h"
#include "daemon/notify.h"
#include "daemon/sandbox.h"
#include "value/json.h"

#include <pthread.h>
#include <signal.h>

static int fail(struct error *e)
{
    log_and_free(LOG_ERROR, e, "cannot start");
    return 1;
}

/* Before the first thread: the kernel keeps to each thread what it was when it started. */
static struct error *enter_sandbox(const struct options *o)
{
    struct sandbox_options box = {
        .user = o->user, .state_dir = o->state_dir, .web_dir = o->web_dir, .tell = o->debug};
    const char *const where[] = {o->http, o->tls};
    uint16_t ports[ARRAY_SIZE(where)];

    for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
        _cleanup_free_ char *address = NULL;

        if (!streq(where[i], "off"))
            TRY(options_address(where[i], &address, &ports[box.n_ports++]));
    }
    box.ports = ports;
    return sandbox_enter(&box);
}

int main(int argc, char **argv)
{
    struct launcher *launcher = NULL;
    struct options o;
    struct parts p;
    sigset_t signals;
    int sig;
    bool gone = false;

    log_init("xenolithd");
    json_own_memory();
    launcher_main(argc, argv);
    struct error *e = options_parse(argc, argv, &o);

    if (e)
        return fail(e);
    log_set_level(o.debug ? LOG_DEBUG : LOG_INFO);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error like a full disk */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by all threads */
    e = launcher_start(argc, argv, &launcher);
    if (!e)
        e = enter_sandbox(&o);
    if (e) {
        launcher_free(launcher);
        return fail(e);
    }
    e = parts_start(&p, &o, launcher);
    if (e) {
        parts_stop(&p);
        launcher_free(launcher);
        return fail(e);
    }
    log_info("ready");
    if (!p.take_over) /* else the program before us says so, being the one that may */
        notify_manager("READY=1");
    do {
        sigwait(&signals, &sig);
        gone = sig == SIGHUP && hand_over(&p);
    } while (sig == SIGHUP && !gone);
    if (gone)
        hand_over_linger(&p);
    log_info("stopping");
    parts_stop(&p);
    launcher_free(launcher);
    return 0;
}
