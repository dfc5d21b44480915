/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenolith-hostd: brings the machine up, waits for a signal, lets go of it. */
#include "base/log.h"
#include "base/mem.h"
#include "hostd/confine.h"
#include "hostd/machine.h"
#include "hostd/mount_helper.h"
#include "hostd/options.h"
#include "hostd/pam.h"
#include "value/json.h"

#include <pthread.h>
#include <signal.h>

static void ignore_signals_of_writes(void)
{
    struct sigaction sa = {.sa_handler = SIG_IGN};

    sigaction(SIGPIPE, &sa, NULL);
    sigaction(SIGXFSZ, &sa, NULL); /* a limit on files is an error like a full disk */
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct machine m = {0};
    sigset_t signals;
    int sig;

    log_init("xenolith-hostd");
    json_own_memory();
    struct error *e = options_parse(argc, argv, &o);

    if (!e && o.pam_helper)
        return pam_helper_main();
    if (!e && o.mount_root)
        return mount_helper_main(o.mount_root);
    if (!e) {
        log_set_level(o.debug ? LOG_DEBUG : LOG_INFO);
        ignore_signals_of_writes();
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by all threads */
        e = o.mounts ? mount_helper_start(o.state_dir, &o.mount_helper) : NULL;
        if (!e)
            e = confine_self(streq(o.hv, "libxl"));
        if (!e)
            e = machine_start(&m, &o);
    }
    if (e) {
        log_and_free(LOG_ERROR, e, "cannot start");
        machine_stop(&m);
        mount_helper_free(o.mount_helper);
        return 1;
    }
    log_info("ready");
    sigwait(&signals, &sig);
    log_info("stopping; guests go on");
    machine_stop(&m);
    mount_helper_free(o.mount_helper);
    return 0;
}
