/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting a guest's QEMU. */
#include "base/bounded_file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/world.h"
#include "hv/qemu/argv.h"
#include "hv/qemu/record.h"
#include "sandbox/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define START_TIMEOUT_US (60 * SECOND_US)
#define LOG_TAIL         2000

#define OVMF_CODE        "/usr/share/OVMF/OVMF_CODE_4M.fd"
#define OVMF_VARS        "/usr/share/OVMF/OVMF_VARS_4M.fd"
#define OVMF_CODE_SECURE "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
#define OVMF_VARS_SECURE "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"

struct launch {
    const struct hv_start *start;
    struct domain *d;
    struct machine machine;
    char *nvram;
    const char *ovmf;
};

static char *nvram_path(const struct qemu *q, const char *uuid)
{
    return xasprintf("%s/nvram/%s.fd", q->state_dir, uuid);
}

static struct error *copy_file(const char *from, const char *to)
{
    _cleanup_str_ struct str data = STR_INIT;

    TRY(io_read_file(from, 16u << 20, &data));
    return io_write_file(to, data.s, data.len, 0600);
}

static struct error *prepare_uefi(struct launch *l)
{
    bool secure = streq(platform_find(l->start, "secureboot", ""), "true");
    _cleanup_free_ char *dir = xasprintf("%s/nvram", l->d->qemu->state_dir);

    if (l->start->firmware != HV_FIRMWARE_UEFI)
        return NULL;
    l->ovmf = secure ? OVMF_CODE_SECURE : OVMF_CODE;
    l->nvram = nvram_path(l->d->qemu, l->d->uuid);
    if (access(l->nvram, F_OK) == 0)
        return NULL;
    TRY(io_mkdir_p(dir, 0700));
    return copy_file(secure ? OVMF_VARS_SECURE : OVMF_VARS, l->nvram);
}

static struct error *listen_in(const struct domain *d, const char *name, struct spawn *s,
                               int child_fd, int *ret_fd)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", d->dir, name);

    TRY(io_listen_unix(path, SOCK_STREAM, 0600, ret_fd));
    /* QEMU may call accept once more than there are connections: that must not stop it. */
    TRY(io_set_nonblock(*ret_fd, true));
    spawn_pass_fd(s, *ret_fd, child_fd);
    return NULL;
}

/* From here on a destroy that does not want to wait for the start can kill the process; one that
 * came earlier has found none and asks us to give up. */
static struct error *publish_process(struct domain *d, pid_t pid)
{
    unsigned long long start_time = process_start_time(pid);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (pidfd < 0) {
        struct error *e = error_errno(errno, "cannot watch QEMU");

        kill(pid, SIGKILL); /* our child, not collected yet: the number is still its own */
        (void)TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
        return e;
    }
    pthread_mutex_lock(&d->qemu->lock);
    d->pid = pid;
    d->start_time = start_time;
    d->pidfd = pidfd;
    bool dying = d->dying;

    pthread_mutex_unlock(&d->qemu->lock);
    return dying ? error_errno(ECANCELED, "destroyed while it started") : NULL;
}

/* A guest that takes its QEMU over has that domain's files, the places of disks (more may be
 * plugged in later), and the system's programs and firmware; no capability, nobody to start or to
 * signal. */
static void confine(const struct launch *l, const struct hv_config *config,
                    struct child_confine *ret)
{
    child_allow(ret, l->d->dir, LANDLOCK_CHANGE);
    child_allow(ret, l->nvram, LANDLOCK_USE);
    if (l->start->firmware == HV_FIRMWARE_DIRECT) {
        child_allow(ret, l->start->kernel, LANDLOCK_READ);
        child_allow(ret, l->start->ramdisk, LANDLOCK_READ);
    }
    for (size_t i = 0; i < config->n_disk_roots; i++)
        child_allow(ret, config->disk_roots[i], LANDLOCK_USE);
    ret->network = true;
}

/* The sockets exist before QEMU does: a connection made at once waits in their backlog. */
static struct error *spawn_qemu(struct launch *l)
{
    struct domain *d = l->d;
    _cleanup_spawn_ struct spawn s;
    _cleanup_free_ char *log = xasprintf("%s/log", d->dir);
    _cleanup_free_ char *said = xasprintf("%s/console.log", d->dir);
    _cleanup_close_ int err = -1, qmp = -1, serial = -1, agent = -1;
    const struct hv_config *config = &d->qemu->hv.config;
    struct child_confine files = {0};
    struct argv_in in = {.start = l->start,
                         .machine = &d->machine,
                         .dir = d->dir,
                         .nvram = l->nvram,
                         .ovmf = l->ovmf};

    argv_build(&s, &in);
    TRY(bounded_file_make(said));
    TRY(bounded_file_make(log));
    err = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (err < 0)
        return error_errno(errno, "cannot open %s", log);
    s.stderr_fd = err;
    s.session = true;
    if (config->n_disk_roots) {
        confine(l, config, &files);
        s.confine = child_confine;
        s.confine_arg = &files;
    }
    TRY(listen_in(d, "qmp", &s, CHILD_QMP, &qmp));
    TRY(listen_in(d, "serial", &s, CHILD_SERIAL, &serial));
    TRY(listen_in(d, "agent", &s, CHILD_AGENT, &agent));
    for (size_t i = 0; i < l->start->n_nics; i++) {
        const struct hv_nic *n = &l->start->nics[i];

        if (n->net == HV_NET_TAP)
            spawn_pass_fd(&s, n->tap_fd, CHILD_TAP + n->device);
    }
    pid_t pid;

    TRY(spawn_start(&s, &pid));
    return publish_process(d, pid);
}

/* What QEMU said before it gave up is the best explanation there is. */
static struct error *with_log(const struct domain *d, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/log", d->dir);
    _cleanup_str_ struct str text = STR_INIT;
    struct error *unread = bounded_file_tail(path, LOG_TAIL, &text);

    if (!unread && text.len)
        e = error_prepend(e, "%s", str_cstr(&text));
    error_free(unread);
    return e;
}

static void note_devices(struct domain *d, const struct hv_start *p)
{
    for (size_t i = 0; i < p->n_disks; i++) {
        const struct hv_disk *disk = &p->disks[i];
        struct qdisk add = {.device = disk->device,
                            .cd = disk->type == HV_CD,
                            .bus = disk_bus(&d->machine, disk->device, disk->type == HV_CD)};

        snprintf(add.vdi, sizeof(add.vdi), "%s", disk->vdi);
        vec_add(&d->disks, add);
    }
    for (size_t i = 0; i < p->n_nics; i++)
        vec_add(&d->nics, (struct qnic){.device = p->nics[i].device});
}

static struct error *set_up(struct domain *d, const struct hv_start *p)
{
    if (p->memory_target < p->memory_max)
        TRY(domain_qmp(d, "balloon", pack("{s:I}", "value", (json_int_t)p->memory_target), NULL));
    return domain_qmp(d, "qom-set",
                      pack("{s:s, s:s, s:i}", "path", "/machine/peripheral/balloon", "property",
                           "guest-stats-polling-interval", "value", 10),
                      NULL);
}

static struct error *launch(struct launch *l)
{
    struct domain *d = l->d;

    TRY(io_mkdir_p(d->dir, 0700));
    TRY(record_write(d));
    TRY(prepare_uefi(l));
    TRY(spawn_qemu(l));
    struct error *e = domain_connect(d, START_TIMEOUT_US);

    if (e)
        return with_log(d, e);
    TRY(record_write(d));
    if (l->start->resume_fd >= 0)
        TRY(domain_load(d, l->start->resume_fd));
    TRY(set_up(d, l->start));
    return domain_refresh(d);
}

/* Puts a new domain into the table, not ready yet; or finds the one a repeated call asks for. */
static struct error *reserve(struct qemu *q, const struct hv_start *p, const struct machine *m,
                             struct domain **ret, bool *ret_exists)
{
    pthread_mutex_lock(&q->lock);
    struct domain *d = strmap_find(&q->domains, p->uuid);
    struct error *e = NULL;

    *ret_exists = d != NULL;
    if (d && (!d->ready || d->ran || d->state != HV_PAUSED)) {
        e = error_api("DUPLICATE_VM", 1, p->uuid);
    } else if (!d) {
        d = domain_new(q, p->uuid);
        d->domid = q->next_domid++;
        d->machine = *m;
        d->memory_max = p->memory_max;
        d->vcpus_max = p->vcpus_max;
        d->on_reboot = p->on_reboot;
        d->started = now_s();
        note_devices(d, p);
        strmap_set(&q->domains, d->uuid, d);
    }
    if (!e)
        *ret = domain_ref(d);
    pthread_mutex_unlock(&q->lock);
    return e;
}

static void unreserve(struct domain *d)
{
    pthread_mutex_lock(&d->qemu->lock);
    d->dying = true;
    bool listed = strmap_find(&d->qemu->domains, d->uuid) == d;

    if (listed)
        strmap_remove(&d->qemu->domains, d->uuid);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->qemu->lock);
    domain_end(d);
    if (listed)
        domain_unref(d);
}

struct error *qemu_start(struct hv *hv, const struct hv_start *p, struct arena *a,
                         struct hv_started *ret)
{
    struct qemu *q = qemu_of(hv);
    struct launch l = {.start = p, .machine = machine_new(&q->caps, p)};
    bool exists;

    if (p->resume_fd >= 0)
        TRY(machine_parse(p->record, &q->caps, &l.machine));
    _cleanup_domain_ struct domain *d = NULL;

    TRY(reserve(q, p, &l.machine, &d, &exists));
    if (!exists) {
        l.d = d;
        struct error *e = launch(&l);

        free(l.nvram);
        pthread_mutex_lock(&q->lock);
        if (!e && d->dying)
            e = error_errno(ECANCELED, "domain %s was destroyed while it started", p->uuid);
        d->ready = !e;
        if (!e)
            domain_emit(d, HV_EVENT_STATE, -1);
        pthread_mutex_unlock(&q->lock);
        if (e) {
            unreserve(d);
            return error_prepend(e, "cannot start domain %s", p->uuid);
        }
    }
    _cleanup_free_ char *record = machine_text(&d->machine);

    *ret = (struct hv_started){.domid = d->domid, .record = arena_strdup(a, record)};
    return NULL;
}

struct error *qemu_forget(struct hv *hv, const char *uuid)
{
    _cleanup_free_ char *path = nvram_path(qemu_of(hv), uuid);

    return io_unlink(path);
}
