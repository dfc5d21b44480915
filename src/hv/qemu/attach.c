/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connecting to a QEMU process: one just started, or those an earlier run of this program left.
 * Events sent while nobody listened are gone, so everything that changes is asked for again.
 */
#include "hv/qemu/domain.h"

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/world.h"
#include "hv/qemu/record.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define ADOPT_TIMEOUT_US (5 * SECOND_US)

/* QEMU takes a connection when it comes to it; until then what the guest says is only logged. */
static struct error *await_serial(struct domain *d, int64_t deadline)
{
    for (;;) {
        _cleanup_json_ json_t *all = NULL;
        const json_t *c;
        bool taken = false;
        size_t i;

        TRY(domain_qmp(d, "query-chardev", NULL, &all));
        json_array_foreach (all, i, c) {
            const char *label = json_string_value(json_object_get(c, "label"));
            const char *file = json_string_value(json_object_get(c, "filename"));

            taken |= label && file && streq(label, "serial") && !str_starts(file, "disconnected:");
        }
        if (taken)
            return NULL;
        if (mono_us() > deadline)
            return error_errno(ETIMEDOUT, "QEMU does not take the console");
    }
}

struct error *domain_connect(struct domain *d, int64_t timeout_us)
{
    int64_t deadline = mono_us() + timeout_us;
    _cleanup_free_ char *log = xasprintf("%s/console.log", d->dir);
    _cleanup_free_ char *path = xasprintf("%s/qmp", d->dir);
    _cleanup_free_ char *serial = xasprintf("%s/serial", d->dir);
    _cleanup_free_ char *ring = xasprintf("%s/console", d->dir);
    int fd = -1, line = -1;

    TRY(io_connect_unix(path, SOCK_STREAM, &fd));
    TRY(qmp_open(d->qemu->loop, fd, timeout_us, domain_on_event, d, &d->qmp));
    TRY(io_connect_unix(serial, SOCK_STREAM, &line));
    struct error *e = await_serial(d, deadline);

    if (e) {
        close(line);
        return e;
    }
    return console_open(d->qemu->hub, line, ring, log, &d->console);
}

static void note_cpus(struct domain *d, const json_t *cpus)
{
    const json_t *cpu;
    size_t i;

    d->threads.n = 0;
    json_array_foreach (cpus, i, cpu)
        vec_add(&d->threads, (int)json_integer_value(json_object_get(cpu, "thread-id")));
    d->vcpus = (int)d->threads.n;
}

static void note_agent(struct domain *d, const json_t *chardevs)
{
    const json_t *c;
    size_t i;

    json_array_foreach (chardevs, i, c) {
        const char *label = json_string_value(json_object_get(c, "label"));

        if (label && streq(label, "agent"))
            d->agent = json_is_true(json_object_get(c, "frontend-open"));
    }
}

struct error *domain_refresh(struct domain *d)
{
    static const char *const commands[] = {"query-status", "query-cpus-fast", "query-balloon",
                                           "query-chardev"};
    json_t *reply[ARRAY_SIZE(commands)] = {NULL};
    uint64_t id[ARRAY_SIZE(commands)];
    struct error *e = NULL;
    size_t sent = 0;

    while (sent < ARRAY_SIZE(commands) && !e) {
        e = qmp_send(d->qmp, commands[sent], NULL, &id[sent]);
        if (!e)
            sent++;
    }
    for (size_t i = 0; i < sent; i++) {
        struct error *one = qmp_wait(d->qmp, id[i], QMP_TIMEOUT_US, &reply[i]);

        if (e)
            error_free(one);
        else
            e = one;
    }
    if (!e) {
        const char *status = json_string_value(json_object_get(reply[0], "status"));

        pthread_mutex_lock(&d->qemu->lock);
        note_cpus(d, reply[1]);
        d->memory_actual = json_integer_value(json_object_get(reply[2], "actual"));
        note_agent(d, reply[3]);
        domain_apply_status(d, status ? status : "");
        pthread_mutex_unlock(&d->qemu->lock);
    }
    for (size_t i = 0; i < ARRAY_SIZE(reply); i++)
        json_decref(reply[i]);
    return e ? error_prepend(e, "QEMU of %s", d->uuid) : NULL;
}

/*
 * A start that was cut off between the record and its answer may have left a process the record
 * does not name. Its arguments do: they hold the pid file of this very directory.
 */
static pid_t find_by_pidfile(const struct domain *d)
{
    _cleanup_free_ char *pidfile = xasprintf("%s/pid", d->dir);
    _cleanup_closedir_ DIR *proc = opendir("/proc");
    const struct dirent *entry;
    pid_t found = 0;

    while (proc && !found && (entry = readdir(proc))) {
        _cleanup_str_ struct str cmdline = STR_INIT;
        char *end, path[64];
        long pid = strtol(entry->d_name, &end, 10);

        if (*end || pid <= 0)
            continue;
        snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
        struct error *e = io_read_file(path, 4u << 20, &cmdline);

        if (!e && memmem(str_cstr(&cmdline), cmdline.len, pidfile, strlen(pidfile) + 1) &&
            memmem(str_cstr(&cmdline), cmdline.len, QEMU_PROGRAM, strlen(QEMU_PROGRAM)))
            found = (pid_t)pid;
        error_free(e);
    }
    return found;
}

bool domain_find_process(struct domain *d)
{
    if (d->pid <= 0 || !d->start_time)
        return false;
    d->pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
    struct pollfd p = {.fd = d->pidfd, .events = POLLIN};

    /* Readable: it has ended and only waits to be collected. */
    if (d->pidfd >= 0 && process_start_time(d->pid) == d->start_time &&
        TEMP_FAILURE_RETRY(poll(&p, 1, 0)) == 0)
        return true;
    cleanup_close(&d->pidfd);
    return false;
}

static struct error *adopt_process(struct domain *d)
{
    if (!domain_find_process(d)) {
        d->state = HV_STOPPED;
        d->stop = HV_STOP_LOST;
        d->broken = true;
        return NULL;
    }
    TRY(domain_connect(d, ADOPT_TIMEOUT_US));
    return domain_refresh(d);
}

/* A start whose caller never got an answer: undone. */
static void undo_start(struct domain *d)
{
    d->pid = find_by_pidfile(d);
    if (d->pid > 0)
        d->pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
    domain_end(d);
}

static void adopt(struct qemu *q, const char *uuid)
{
    struct domain *d = domain_new(q, uuid);
    struct error *e = record_read(d);

    if (e || d->pid == 0) {
        log_and_free(LOG_WARNING, e, "domain %s was half started", uuid);
        undo_start(d);
        domain_unref(d);
        return;
    }
    e = adopt_process(d);
    if (e) {
        /* It lives but does not talk. Keep it known, so that it can be destroyed. */
        log_and_free(LOG_ERROR, e, "cannot talk to domain %s", uuid);
        d->broken = true;
        d->state = HV_STOPPED;
        d->stop = HV_STOP_LOST;
    }
    pthread_mutex_lock(&q->lock);
    d->ready = true;
    strmap_set(&q->domains, d->uuid, d);
    q->next_domid = MAX(q->next_domid, d->domid + 1);
    pthread_mutex_unlock(&q->lock);
    log_info("domain %s found: %s %s", uuid, hv_state_names[d->state], hv_stop_names[d->stop]);
}

struct error *qemu_adopt_all(struct qemu *q)
{
    _cleanup_free_ char *path = xasprintf("%s/run/vm", q->state_dir);

    TRY(io_mkdir_p(path, 0700));
    _cleanup_closedir_ DIR *dir = opendir(path);
    const struct dirent *entry;

    if (!dir)
        return error_errno(errno, "cannot read %s", path);
    while ((entry = readdir(dir))) {
        if (uuid_is_valid(entry->d_name))
            adopt(q, entry->d_name);
    }
    return NULL;
}
