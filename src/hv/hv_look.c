/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at domains from outside. */
#include "hv/hv_look.h"

#include "base/io.h"
#include "base/spawn.h"
#include "base/world.h"
#include "hv/qemu/record.h"
#include "hv/sim/sim.h"

#include <dirent.h>

#define XEN_ANSWER_US  (10 * SECOND_US)
#define XEN_RECORD_MAX (1 << 20)

struct look {
    const char *state_dir;
    void *ctx;
    void (*fn)(void *ctx, const struct hv_found *f);
};

static void look_at_qemu(const struct look *l, struct qemu *q, const char *uuid)
{
    struct domain *d = domain_new(q, uuid);
    _cleanup_error_ struct error *e = record_read(d);
    _cleanup_free_ char *problem = e ? error_string(e) : NULL;
    const struct hv_found f = {
        .driver = "qemu",
        .uuid = uuid,
        .path = d->dir,
        .pid = d->pid,
        .lives = !e && domain_find_process(d),
        .problem = problem,
    };

    l->fn(l->ctx, &f);
    domain_unref(d);
}

/* Xen is asked through its own program, for libxl is a part that not every host has. */
static struct error *ask_xen(long long domid, const char *uuid, bool *ret_lives)
{
    _cleanup_spawn_ struct spawn s;
    _cleanup_str_ struct str out = STR_INIT, said = STR_INIT;
    _cleanup_free_ char *expected = xasprintf("/vm/%s\n", uuid);
    int status;

    spawn_init(&s, "xenstore-read");
    spawn_addf(&s, "/local/domain/%lld/vm", domid);
    TRY(spawn_run_status(&s, XEN_ANSWER_US, 256, &out, &said, &status));
    *ret_lives = status == 0 && streq(str_cstr(&out), expected);
    /* "couldn't read path": there is no such domain. All else is no answer. */
    if (status != 0 && !strstr(str_cstr(&said), "read path"))
        return error_text("xenstore-read: %s", str_cstr(&said));
    return NULL;
}

static struct error *read_xen(const char *dir, const char *uuid, bool *ret_lives)
{
    _cleanup_free_ char *path = xasprintf("%s/xen.json", dir);
    _cleanup_str_ struct str text = STR_INIT;

    TRY(io_read_file(path, XEN_RECORD_MAX, &text));
    _cleanup_json_ json_t *j = json_loadb(str_cstr(&text), text.len, 0, NULL);
    const json_t *domid = json_object_get(j, "domid");

    if (!json_is_integer(domid))
        return error_text("%s is not a record of this program", path);
    if (json_integer_value(domid) <= 0) /* has not begun, or has ended */
        return NULL;
    return ask_xen(json_integer_value(domid), uuid, ret_lives);
}

static void look_at_xen(const struct look *l, const char *dir, const char *uuid)
{
    bool lives = false;
    _cleanup_error_ struct error *e = read_xen(dir, uuid, &lives);
    _cleanup_free_ char *problem = e ? error_string(e) : NULL;

    l->fn(l->ctx, &(const struct hv_found){
                      .driver = "libxl",
                      .uuid = uuid,
                      .path = dir,
                      .lives = lives,
                      .problem = problem,
                  });
}

/* A directory of a domain on QEMU or on Xen: the record's name tells. */
static void look_at_vm(const struct look *l, struct qemu *q, const char *uuid)
{
    _cleanup_free_ char *dir = xasprintf("%s/run/vm/%s", l->state_dir, uuid);
    _cleanup_free_ char *xen = xasprintf("%s/xen.json", dir);

    if (access(xen, F_OK) == 0)
        look_at_xen(l, dir, uuid);
    else
        look_at_qemu(l, q, uuid);
}

static void look_at_sim(const struct look *l, const char *uuid)
{
    _cleanup_free_ char *path = xasprintf("%s/run/sim/%s", l->state_dir, uuid);
    struct sim_domain *d = NULL;
    _cleanup_error_ struct error *e = sim_load(l->state_dir, uuid, &d);
    _cleanup_free_ char *problem = e ? error_string(e) : NULL;
    const struct hv_found f = {
        .driver = "sim",
        .uuid = uuid,
        .path = path,
        .lives = d && d->state != HV_STOPPED,
        .problem = problem,
    };

    l->fn(l->ctx, &f);
    if (!d)
        return;
    vec_fini(&d->disks);
    vec_fini(&d->nics);
    free(d);
}

static void each_uuid(const struct look *l, const char *dir, struct qemu *q)
{
    _cleanup_free_ char *path = xasprintf("%s/run/%s", l->state_dir, dir);
    _cleanup_closedir_ DIR *d = opendir(path);
    const struct dirent *entry;

    while (d && (entry = readdir(d))) {
        if (!uuid_is_valid(entry->d_name))
            continue;
        if (q)
            look_at_vm(l, q, entry->d_name);
        else
            look_at_sim(l, entry->d_name);
    }
}

void hv_look(const char *state_dir, void *ctx, void (*fn)(void *ctx, const struct hv_found *f))
{
    const struct look l = {.state_dir = state_dir, .ctx = ctx, .fn = fn};
    struct qemu q = {.state_dir = state_dir};

    pthread_mutex_init(&q.lock, NULL);
    each_uuid(&l, "vm", &q);
    each_uuid(&l, "sim", NULL);
    pthread_mutex_destroy(&q.lock);
}
