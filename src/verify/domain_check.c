/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running VMs against domains against processes. */
#include "verify/verify.h"

#include "base/io.h"
#include "base/str.h"
#include "base/uuid.h"
#include "gen/class/VM.h"
#include "gen/enums.h"
#include "hv/hv_look.h"

struct seen {
    char uuid[UUID_LEN + 1];
    pid_t pid;
    bool lives;
};

struct domains {
    struct verify *v;
    struct strmap by_uuid; /* struct seen, from the arena */
};

static bool is_live(const struct vm_rec *vm)
{
    return vm->power_state == VM_POWER_STATE_RUNNING || vm->power_state == VM_POWER_STATE_PAUSED;
}

/* ---- domains without rows ---- */

static void note_stray(struct verify *v, const struct hv_found *f, const struct vm_rec *vm)
{
    _cleanup_free_ char *process = f->pid ? xasprintf(" (process %d)", (int)f->pid) : xstrdup("");

    if (!f->lives) {
        offer_set_aside(v,
                        add_finding(v, WARNING, "domain-leftover", f->uuid,
                                    "The remains of a domain of VM %s are there, but %s.", f->uuid,
                                    vm ? "the VM does not run" : "there is no such VM"),
                        f->path);
        return;
    }
    advise(add_finding(v, ERROR, "process-without-vm", f->uuid, "A guest of VM %s runs%s, but %s.",
                       f->uuid, process,
                       vm ? "the VM does not run by its row" : "there is no such VM"),
           "xenolithd ends it when it starts: shut the guest down first if you need what it holds");
}

static void look_at_domain(void *ctx, const struct hv_found *f)
{
    struct domains *d = ctx;
    struct verify *v = d->v;
    _cleanup_version_ struct version *row = store_find_uuid(v->store, CLASS_VM, f->uuid);
    const struct vm_rec *vm = row ? row->rec : NULL;
    struct seen *s = arena_new(&v->arena, struct seen);

    snprintf(s->uuid, sizeof(s->uuid), "%s", f->uuid);
    s->pid = f->pid;
    s->lives = f->lives;
    strmap_set(&d->by_uuid, s->uuid, s);
    v->checked[CHECKED_DOMAINS]++;
    if (is_planned(v, f->uuid))
        return;
    if (f->problem)
        advise(add_finding(v, ERROR, "launch-record-unreadable", f->uuid,
                           "What is known of the domain of VM %s cannot be read: %s.", f->uuid,
                           f->problem),
               "xenolith-hostd takes it for a start that was cut off, and ends it, when it starts");
    else if (!vm || !is_live(vm))
        note_stray(v, f, vm);
}

/* ---- rows without domains ---- */

static void check_vm(const struct domains *d, const struct vm_rec *vm)
{
    struct verify *v = d->v;
    const struct seen *s = strmap_find(&d->by_uuid, vm->uuid);

    if (!is_live(vm) || vm->is_control_domain || (s && s->lives) || is_planned(v, vm->uuid) ||
        is_planned(v, vm->self))
        return;
    advise(add_finding(v, v->hostd_runs && v->xapi_runs ? ERROR : WARNING, "vm-without-process",
                       vm->uuid, "VM %s (%s) is %s by its row, but %s.", vm->uuid, vm->name_label,
                       vm->power_state == VM_POWER_STATE_PAUSED ? "Paused" : "Running",
                       s ? "its process has ended" : "it has no domain"),
           "xenolithd makes it Halted, or starts it again, when it starts");
}

/* ---- processes ---- */

/* Whose process it is, by the file its messages go to: the path below <state>/run/, or NULL. */
static char *owner_of(const struct verify *v, const char *pid)
{
    char link[64], target[4096];

    snprintf(link, sizeof(link), "/proc/%.20s/fd/2", pid);
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    _cleanup_free_ char *prefix = xasprintf("%s/", v->run_dir);

    if (n <= 0)
        return NULL;
    target[n] = 0;
    return str_starts(target, prefix) ? xstrdup(target + strlen(prefix)) : NULL;
}

/* Beside hostd: its directory says who it is. */
static void check_daemon(struct verify *v, const char *pid, const char *owner)
{
    int dir = (int)(strlen("storage/") + strcspn(owner + strlen("storage/"), "/"));
    _cleanup_str_ struct str text = STR_INIT;

    IGNORE_ERROR(io_read_file(host_path(v, "run/%.*s/pid", dir, owner), 128, &text));
    if (strtol(str_cstr(&text), NULL, 10) != strtol(pid, NULL, 10))
        advise(add_finding(v, ERROR, "storage-daemon-unknown", pid,
                           "Storage daemon %s has a disk open (%s), but xenolith-hostd does not "
                           "know it.",
                           pid, owner),
               "end it: kill %s", pid);
}

static void check_process(const struct domains *d, const char *pid)
{
    struct verify *v = d->v;
    _cleanup_free_ char *owner = owner_of(v, pid);
    char uuid[UUID_LEN + 1] = "";

    if (!owner || (!str_starts(owner, "vm/") && !str_starts(owner, "storage/owner-")))
        return;
    v->checked[CHECKED_PROCESSES]++;
    if (str_starts(owner, "storage/")) {
        if (v->hostd_runs)
            check_daemon(v, pid, owner);
        else
            advise(add_finding(v, WARNING, "storage-daemon-left", pid,
                               "Storage daemon %s has a disk open (%s), but no xenolith-hostd "
                               "runs.",
                               pid, owner),
                   "xenolith-hostd ends it when it starts");
        return;
    }
    snprintf(uuid, sizeof(uuid), "%s", owner + 3);
    const struct seen *s = strmap_find(&d->by_uuid, uuid);

    if ((!s || s->pid != (pid_t)strtol(pid, NULL, 10)) && !is_planned(v, uuid))
        advise(add_finding(v, ERROR, "process-unknown", uuid,
                           "Process %s is a guest of VM %s, but no record tells of it.", pid, uuid),
               "end it: kill %s", pid);
}

static void check_processes(const struct domains *d)
{
    _cleanup_closedir_ DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc && (entry = readdir(proc)))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            check_process(d, entry->d_name);
}

/* ---- records of what guests have open ---- */

static void check_guest_record(const struct domains *d, const char *uuid, const char *path)
{
    struct verify *v = d->v;

    if (strmap_find(&d->by_uuid, uuid) || is_planned(v, uuid))
        return;
    offer_set_aside(v,
                    add_finding(v, WARNING, "guest-record-left", uuid,
                                "%s tells which disks VM %s has open, but it has no domain.", path,
                                uuid),
                    path);
}

static void check_guest_records(const struct domains *d)
{
    const char *path = host_path(d->v, "run/guests");
    _cleanup_closedir_ DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (uuid_is_with(entry->d_name, ".json"))
            check_guest_record(d, arena_memdup0(&d->v->arena, entry->d_name, UUID_LEN),
                               host_path(d->v, "run/guests/%s", entry->d_name));
}

/* Where clients of a guest's disks connect. */
static void check_sockets(const struct domains *d)
{
    _cleanup_closedir_ DIR *dir = opendir(host_path(d->v, "run/storage"));
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (!str_starts(entry->d_name, "nbd-"))
            continue;
        const char *uuid = entry->d_name + strlen("nbd-");
        const struct seen *s = strmap_find(&d->by_uuid, uuid);

        if ((s && s->lives) || is_planned(d->v, uuid))
            continue;
        const char *path = host_path(d->v, "run/storage/%s", entry->d_name);

        offer_set_aside(d->v,
                        add_finding(d->v, WARNING, "socket-left", uuid,
                                    "%s leads to the disks of a guest that is gone.", path),
                        path);
    }
}

static void check_recorded(const struct domains *d)
{
    const struct seen *s;
    size_t pos = 0;

    while ((s = strmap_next(&d->by_uuid, &pos, NULL))) {
        const char *path = host_path(d->v, "run/guests/%s.json", s->uuid);

        if (s->lives && access(path, F_OK) < 0 && !is_planned(d->v, s->uuid))
            advise(add_finding(d->v, ERROR, "guest-record-missing", s->uuid,
                               "The guest of VM %s runs, but nothing tells which disks it has "
                               "open.",
                               s->uuid),
                   "shut it down before its disks are used by anything else");
    }
}

void check_domains(struct verify *v)
{
    struct domains d = {.v = v};
    struct version_list vms;

    hv_look(v->host_dir, &d, look_at_domain);
    store_all(v->store, CLASS_VM, &vms);
    vec_foreach (vm, &vms)
        check_vm(&d, (*vm)->rec);
    version_list_fini(&vms);
    check_processes(&d);
    check_guest_records(&d);
    check_sockets(&d);
    check_recorded(&d);
    strmap_fini(&d.by_uuid);
}
