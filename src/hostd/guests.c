/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/guests.h"

#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "hv/hv.h"
#include "hv/qemu/qemu.h"
#include "value/json.h"

#include <errno.h>
#include <pthread.h>

#define RECORD_MAX (1u << 20)

struct drive {
    int device;
    bool cd, read_only;
    char sr[UUID_LEN + 1], vdi[UUID_LEN + 1];
};

struct guest {
    char vm[UUID_LEN + 1];
    struct uuid_text run; /* never changes once calls find it; "" = started without one */
    struct VEC(struct drive) drives;
    bool connected; /* storage has its QMP */
    struct hv_qmp qmp;
};

struct guests {
    pthread_mutex_t lock; /* guards the table; what a guest holds is guarded by its VM's turn */
    struct strmap by_vm;
};

static struct guest *find(struct machine *m, const char *vm)
{
    pthread_mutex_lock(&m->guests->lock);
    struct guest *g = strmap_find(&m->guests->by_vm, vm);

    pthread_mutex_unlock(&m->guests->lock);
    return g;
}

struct uuid_text guest_run(struct machine *m, const char *vm)
{
    pthread_mutex_lock(&m->guests->lock);
    const struct guest *g = strmap_find(&m->guests->by_vm, vm);
    struct uuid_text run = g ? g->run : (struct uuid_text){""};

    pthread_mutex_unlock(&m->guests->lock);
    return run;
}

static struct guest *add_guest(struct machine *m, const char *vm, const char *run)
{
    struct guest *g = xnew(struct guest);

    snprintf(g->vm, sizeof(g->vm), "%.36s", vm);
    snprintf(g->run.s, sizeof(g->run.s), "%.36s", run);
    pthread_mutex_lock(&m->guests->lock);
    strmap_set(&m->guests->by_vm, g->vm, g);
    pthread_mutex_unlock(&m->guests->lock);
    return g;
}

static struct drive *find_drive(struct guest *g, int device)
{
    vec_foreach (d, &g->drives) {
        if (d->device == device)
            return d;
    }
    return NULL;
}

static void note_drive(struct guest *g, const struct guest_drive *drive)
{
    struct drive *d = find_drive(g, drive->device);
    struct drive now = {.device = drive->device, .cd = drive->cd, .read_only = drive->read_only};

    snprintf(now.sr, sizeof(now.sr), "%.36s", drive->sr);
    snprintf(now.vdi, sizeof(now.vdi), "%.36s", drive->vdi);
    if (d)
        *d = now;
    else
        vec_add(&g->drives, now);
}

/* ---- on disk ---- */

static char *record_path(const struct machine *m, const char *vm)
{
    return xasprintf("%s/run/guests/%s.json", m->state_dir, vm);
}

static struct error *write_record(struct machine *m, const struct guest *g)
{
    _cleanup_free_ char *path = record_path(m, g->vm);
    json_t *drives = json_array();
    _cleanup_json_ json_t *all = json_pack("{s:s, s:o}", "run", g->run.s, "drives", drives);

    vec_foreach (d, &g->drives)
        json_array_append_new(drives, json_pack("{s:i, s:b, s:b, s:s, s:s}", "device", d->device,
                                                "cd", (int)d->cd, "read_only", (int)d->read_only,
                                                "sr", d->sr, "vdi", d->vdi));
    _cleanup_free_ char *text = json_dumps(all, JSON_INDENT(1));

    return io_replace_file(path, text, strlen(text), 0600);
}

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s && (!*s || uuid_is_valid(s)) ? s : NULL;
}

static struct error *read_record(struct machine *m, struct guest *g)
{
    _cleanup_free_ char *path = record_path(m, g->vm);
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_json_ json_t *all = NULL;
    const json_t *j;
    size_t i;

    TRY(io_read_file(path, RECORD_MAX, &text));
    TRY(json_parse(str_cstr(&text), text.len, &all));
    const char *run = text_of(all, "run");

    snprintf(g->run.s, sizeof(g->run.s), "%.36s", run ? run : "");
    /* Of a guest that an older hostd started the drives are all there is. */
    json_array_foreach (json_is_array(all) ? all : json_object_get(all, "drives"), i, j) {
        struct guest_drive d = {
            .device = (int)json_integer_value(json_object_get(j, "device")),
            .cd = json_is_true(json_object_get(j, "cd")),
            .read_only = json_is_true(json_object_get(j, "read_only")),
            .sr = text_of(j, "sr"),
            .vdi = text_of(j, "vdi"),
        };

        if (!d.sr || !d.vdi)
            return error_text("%s is not a record of drives", path);
        note_drive(g, &d);
    }
    return NULL;
}

/* ---- life ---- */

struct error *guests_open(struct machine *m)
{
    _cleanup_free_ char *dir = xasprintf("%s/run/guests", m->state_dir);

    TRY(io_mkdir_p(dir, 0700));
    m->guests = xnew(struct guests);
    pthread_mutex_init(&m->guests->lock, NULL);
    return NULL;
}

static void disconnect(struct machine *m, struct guest *g)
{
    if (!g->connected)
        return;
    guest_disconnected(m->storage, g->vm);
    hv_qemu_give_qmp(&g->qmp);
    g->connected = false;
}

static void free_guest(struct machine *m, struct guest *g)
{
    disconnect(m, g);
    vec_fini(&g->drives);
    free(g);
}

void guests_close(struct machine *m)
{
    struct guest *g;
    size_t pos = 0;

    if (!m->guests)
        return;
    while ((g = strmap_next(&m->guests->by_vm, &pos, NULL))) {
        strmap_remove(&m->guests->by_vm, g->vm);
        free_guest(m, g);
    }
    strmap_fini(&m->guests->by_vm);
    pthread_mutex_destroy(&m->guests->lock);
    free(TAKE_PTR(m->guests));
}

static struct error *open_drive(struct machine *m, const char *vm, const struct guest_drive *d,
                                bool adopt, struct guest_disk *ret)
{
    if (!*d->vdi) {
        *ret = (struct guest_disk){0};
        return NULL;
    }
    return guest_disk_open(m->storage, vm, d->sr, d->vdi, !d->read_only, adopt, ret);
}

struct error *guest_begin(struct machine *m, const char *vm, const char *run,
                          const struct guest_drive *drives, size_t n, struct guest_disk *ret)
{
    struct guest *g = add_guest(m, vm, run);
    size_t opened = 0;

    for (size_t i = 0; i < n; i++)
        note_drive(g, &drives[i]);
    struct error *e = write_record(m, g);

    for (; !e && opened < n; opened++)
        e = open_drive(m, vm, &drives[opened], false, &ret[opened]);
    if (!e)
        return NULL;
    /* The one that failed was counted, but has nothing to free. */
    for (size_t i = 0; opened && i < opened - 1; i++)
        guest_disk_fini(&ret[i]);
    guest_end(m, vm);
    return e;
}

struct error *guest_runs(struct machine *m, const char *vm)
{
    struct guest *g = find(m, vm);

    if (!g || g->connected || !streq(hv_probe(m->hv)->driver, "qemu"))
        return NULL;
    TRY(hv_qemu_take_qmp(m->hv, vm, &g->qmp));
    struct error *e = guest_connected(m->storage, vm, g->qmp.qmp);

    if (e) {
        guest_disconnected(m->storage, vm);
        hv_qemu_give_qmp(&g->qmp);
        return e;
    }
    g->connected = true;
    return NULL;
}

void guest_end(struct machine *m, const char *vm)
{
    _cleanup_free_ char *path = record_path(m, vm);
    struct guest *g = find(m, vm);

    guest_gone(m->storage, vm);
    if (g) {
        pthread_mutex_lock(&m->guests->lock);
        strmap_remove(&m->guests->by_vm, vm);
        pthread_mutex_unlock(&m->guests->lock);
        g->connected ? hv_qemu_give_qmp(&g->qmp) : (void)0;
        g->connected = false;
        free_guest(m, g);
    }
    IGNORE_ERROR(io_unlink(path));
}

struct error *guest_add(struct machine *m, const char *vm, const struct guest_drive *drive,
                        struct guest_disk *ret)
{
    struct guest *g = find(m, vm);
    const struct drive *there = g ? find_drive(g, drive->device) : NULL;

    if (!g)
        g = add_guest(m, vm, "");
    if (there && !streq(there->vdi, drive->vdi))
        return error_text("drive %d holds another disk", drive->device);
    bool is_new = !there;

    note_drive(g, drive);
    TRY(write_record(m, g));
    struct error *e = open_drive(m, vm, drive, false, ret);

    if (e && is_new)
        IGNORE_ERROR(guest_remove(m, vm, drive->device, false));
    return e;
}

bool guest_find_drive(struct machine *m, const char *vm, int device, struct arena *a,
                      struct guest_drive *ret)
{
    struct guest *g = find(m, vm);
    const struct drive *d = g ? find_drive(g, device) : NULL;

    if (!d)
        return false;
    *ret = (struct guest_drive){.device = d->device,
                                .cd = d->cd,
                                .read_only = d->read_only,
                                .sr = arena_strdup(a, d->sr),
                                .vdi = arena_strdup(a, d->vdi)};
    return true;
}

struct error *guest_remove(struct machine *m, const char *vm, int device, bool keep_drive)
{
    struct guest *g = find(m, vm);
    struct drive *d = g ? find_drive(g, device) : NULL;

    if (!d)
        return NULL;
    if (*d->vdi)
        TRY(guest_disk_close(m->storage, vm, d->sr, d->vdi));
    if (keep_drive)
        d->sr[0] = d->vdi[0] = 0;
    else
        vec_remove_fast(&g->drives, (size_t)(d - g->drives.v));
    return write_record(m, g);
}

struct error *guest_replace(struct machine *m, const char *vm, const struct guest_drive *old,
                            const struct guest_drive *now)
{
    struct guest *g = find(m, vm);

    if (*old->vdi && !streq(old->vdi, now->vdi))
        TRY(guest_disk_close(m->storage, vm, old->sr, old->vdi));
    if (!g)
        return NULL;
    note_drive(g, now);
    return write_record(m, g);
}

/* ---- after a restart ---- */

static struct error *adopt_drives(struct machine *m, struct guest *g)
{
    vec_foreach (d, &g->drives) {
        struct guest_drive drive = {.device = d->device,
                                    .sr = d->sr,
                                    .vdi = d->vdi,
                                    .cd = d->cd,
                                    .read_only = d->read_only};
        struct guest_disk disk;

        TRY(open_drive(m, g->vm, &drive, true, &disk));
        guest_disk_fini(&disk);
    }
    return guest_runs(m, g->vm);
}

static void restore(struct machine *m, const char *vm)
{
    _cleanup_arena_ struct arena a;
    struct hv_domain d;

    arena_init(&a);
    struct error *e = hv_query(m->hv, vm, &a, &d);

    if (e || (d.state == HV_STOPPED && d.stop == HV_STOP_LOST)) {
        error_free(e);
        guest_end(m, vm);
        return;
    }
    struct guest *g = add_guest(m, vm, "");

    e = read_record(m, g);
    if (!e)
        e = adopt_drives(m, g);
    log_and_free(LOG_ERROR, e, "disks of domain %s", vm);
}

void guests_restore(struct machine *m)
{
    _cleanup_free_ char *path = xasprintf("%s/run/guests", m->state_dir);
    _cleanup_closedir_ DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (!uuid_is_with(entry->d_name, ".json"))
            continue;
        _cleanup_free_ char *vm = xmemdup0(entry->d_name, UUID_LEN);

        restore(m, vm);
    }
}
