/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of disks against what lies on the repositories, and that by itself. */
#include "verify/verify.h"

#include "base/str.h"
#include "gen/class/PBD.h"
#include "gen/class/SR.h"
#include "gen/class/VDI.h"
#include "storage/sr_look.h"
#include "storage/sr_mount.h"

struct storage_check {
    struct verify *v;
    struct storage_config config;
    struct strmap attached; /* uuid -> struct sr_spec, from the arena */
};

/* One repository. */
struct place_check {
    struct verify *v;
    const struct sr_rec *sr;
    struct sr_look look;
    struct strmap readers; /* id of an image -> uuid of a disk that reads it */
};

/* ---- what is attached ---- */

static struct sr_spec *keep_spec(struct arena *a, const struct sr_spec *spec)
{
    struct sr_spec *kept = arena_new(a, struct sr_spec);
    size_t n = spec->device_config.n;
    const char **k = arena_array(a, const char *, n + 1), **v = arena_array(a, const char *, n + 1);

    for (size_t i = 0; i < n; i++) {
        k[i] = arena_strdup(a, ((const char *const *)spec->device_config.k)[i]);
        v[i] = arena_strdup(a, ((const char *const *)spec->device_config.v)[i]);
    }
    *kept = (struct sr_spec){.uuid = arena_strdup(a, spec->uuid),
                             .type = arena_strdup(a, spec->type),
                             .device_config = {.n = n, .k = k, .v = v}};
    return kept;
}

static void note_attached(void *arg, const char *uuid, const struct sr_spec *spec, struct error *e)
{
    struct storage_check *c = arg;
    _cleanup_error_ struct error *problem = e;

    if (spec) {
        const struct sr_spec *kept = keep_spec(&c->v->arena, spec);

        strmap_set(&c->attached, kept->uuid, (void *)(uintptr_t)kept);
        return;
    }
    _cleanup_free_ char *text = error_string(problem);

    advise(add_finding(c->v, ERROR, "attachment-unreadable", uuid,
                       "How repository %s is attached cannot be read: %s.", uuid, text),
           "remove storage/%s.json and plug its PBD again", uuid);
}

/* ---- images ---- */

static void find_readers(struct place_check *p)
{
    const struct vdi *d;
    size_t pos = 0;

    while ((d = strmap_next(&p->look.tree.vdis, &pos, NULL)))
        for (const struct node *n = d->node; n && !strmap_find(&p->readers, n->id.s); n = n->parent)
            strmap_set(&p->readers, n->id.s, (void *)(uintptr_t)d->uuid.s);
}

static void check_image(const struct place_check *p, const struct sr_image_look *i)
{
    struct verify *v = p->v;
    const struct node *n = i->node;
    const char *disk = strmap_find(&p->readers, n->id.s);

    v->checked[CHECKED_IMAGES]++;
    if (is_planned(v, n->id.s) || (disk && is_planned(v, disk)))
        return;
    if (!i->sound && i->is_grown && !v->hostd_runs)
        add_finding(v, NOTE, "image-grown", n->id.s,
                    "Image %s has %lld bytes, its record says %lld: a resize was cut off; "
                    "xenolith-hostd finishes it.",
                    n->id.s, (long long)i->size, (long long)n->size);
    else if (!i->sound && !i->is_grown)
        advise(add_finding(v, ERROR, "image-broken", n->id.s,
                           i->size ? "Image %s, read by disk %s, has %lld bytes, not %lld as its "
                                     "record says."
                                   : "Image %s, read by disk %s, is missing or is no image "
                                     "(found %lld bytes of %lld).",
                           n->id.s, disk ? disk : "none", (long long)i->size, (long long)n->size),
               "restore the file from a backup; disks that read it cannot be opened meanwhile");
    if (node_is_unused(n) && !p->look.is_flat)
        advise(add_finding(v, WARNING, "image-unused", n->id.s, "No disk reads image %s.", n->id.s),
               "xenolith-hostd removes it when it attaches the repository");
}

static void check_problems(const struct place_check *p)
{
    const char *line = str_cstr(&p->look.tree.problems);

    while (*line) {
        size_t n = strcspn(line, "\n");

        advise(add_finding(p->v, ERROR, "record-unreadable", p->sr->uuid,
                           "Repository %s (%s): %.*s.", p->sr->uuid, p->sr->name_label, (int)n,
                           line),
               "restore that record from a backup; until then nothing is removed there");
        line += n + (line[n] == '\n');
    }
}

static void check_strays(struct place_check *p)
{
    vec_foreach (s, &p->look.strays) {
        const char *object = arena_printf(&p->v->arena, "%s/%s", p->sr->uuid, s->name);

        if (s->half_made && !p->v->hostd_runs)
            advise(add_finding(p->v, WARNING, "half-made-image", object,
                               "%s was being made when xenolith-hostd ended.", s->name),
                   "xenolith-hostd removes it when it attaches the repository");
        else if (!s->half_made)
            advise(add_finding(p->v, ERROR, "image-without-record", object,
                               "Image %s belongs to no record.", s->name),
                   "look at it with qemu-img info; if nobody misses it, remove it");
    }
    vec_foreach (u, &p->look.unfinished)
        if (!is_planned(p->v, (*u)->uuid.s))
            advise(add_finding(p->v, WARNING, "disk-unfinished", (*u)->uuid.s,
                               "Disk %s was being made when xenolith-hostd ended.", (*u)->uuid.s),
                   "xenolith-hostd removes it when it attaches the repository");
}

/* ---- disks against rows ---- */

static void check_same(const struct place_check *p, const struct vdi_rec *row, const struct node *n,
                       const struct vdi *d)
{
    if (row->virtual_size != n->size)
        advise(add_finding(p->v, ERROR, "disk-size-differs", row->uuid,
                           "Disk %s (%s) has %lld bytes, its row says %lld.", row->uuid,
                           row->name_label, (long long)n->size, (long long)row->virtual_size),
               "scan the repository: xe sr-scan uuid=%s", p->sr->uuid);
    if (d && d->is_snapshot != row->is_a_snapshot)
        add_finding(p->v, WARNING, "disk-snapshot-differs", row->uuid,
                    "Disk %s (%s) is %s a snapshot by its record, and %s one by its row.",
                    row->uuid, row->name_label, d->is_snapshot ? "indeed" : "not",
                    row->is_a_snapshot ? "is" : "is not");
}

static void check_row(const struct place_check *p, const struct vdi_rec *row)
{
    const struct vdi *d = tree_find_vdi(&p->look.tree, row->uuid);
    const struct node *n = d ? d->node : tree_find_node(&p->look.tree, row->uuid);

    p->v->checked[CHECKED_DISKS]++;
    if (is_planned(p->v, row->uuid) || is_planned(p->v, row->self))
        return;
    if (n) {
        check_same(p, row, n, d);
        return;
    }
    if (!row->managed || p->look.is_flat || row->missing)
        advise(add_finding(p->v, NOTE, "row-outdated", row->uuid,
                           "Disk %s (%s) is not there any more.", row->uuid, row->name_label),
               "its row goes with the next scan: xe sr-scan uuid=%s", p->sr->uuid);
    else
        advise(add_finding(p->v, ERROR, "row-without-disk", row->uuid,
                           "Disk %s (%s) has a row, but nothing lies on repository %s (%s).",
                           row->uuid, row->name_label, p->sr->uuid, p->sr->name_label),
               "restore its files from a backup, or give it up: xe vdi-forget uuid=%s", row->uuid);
}

static void check_disk(const struct place_check *p, const struct vdi *d)
{
    _cleanup_version_ struct version *row = store_find_uuid(p->v->store, CLASS_VDI, d->uuid.s);
    bool unfinished = false;

    vec_foreach (u, &p->look.unfinished)
        unfinished |= *u == d;
    if (row || unfinished || is_planned(p->v, d->uuid.s))
        return;
    advise(add_finding(p->v, p->look.is_flat ? NOTE : WARNING, "disk-without-row", d->uuid.s,
                       "Disk %s lies on repository %s (%s) and has no row.", d->uuid.s, p->sr->uuid,
                       p->sr->name_label),
           "a scan gives it one: xe sr-scan uuid=%s", p->sr->uuid);
}

/* ---- file systems that repositories have to themselves ---- */

struct mount_search {
    const char *name;
    bool found;
};

static void compare_mount(void *arg, const char *name, const char *source)
{
    struct mount_search *s = arg;

    s->found |= streq(s->name, name);
}

/* The unit's mounts are its own: whoever looks from outside does not see them. */
static bool is_seen(struct storage_check *c, const struct sr_rec *sr, const struct sr_spec *spec)
{
    _cleanup_sr_mount_ struct sr_mount m = {0};
    struct mount_search s = {.name = spec->uuid};

    IGNORE_ERROR(sr_mount_parse(spec, false, &m));
    if (!m.fs)
        return true;
    IGNORE_ERROR(mounter_programs.list(c->config.mounter_ctx, compare_mount, &s));
    if (!s.found)
        advise(add_finding(c->v, NOTE, "repository-not-seen", sr->uuid,
                           "The file system of repository %s (%s) is not mounted where "
                           "xenolith-verify runs: what lies on it was not looked at.",
                           sr->uuid, sr->name_label),
               c->v->hostd_runs ? "run it in the mounts of xenolith-hostd: nsenter -m -t PID"
                                : "xenolith-hostd mounts it when it starts");
    return s.found;
}

static void note_mount(void *arg, const char *name, const char *source)
{
    struct storage_check *c = arg;

    if (!strmap_find(&c->attached, name) && !c->v->hostd_runs && !is_planned(c->v, name))
        advise(add_finding(c->v, WARNING, "mount-left", name,
                           "%s is mounted for repository %s, which is not attached.", source, name),
               "xenolith-hostd unmounts it when it starts");
}

static void check_place(struct storage_check *c, const struct sr_rec *sr,
                        const struct sr_spec *spec)
{
    struct place_check p = {.v = c->v, .sr = sr};
    const struct vdi *d;
    size_t pos = 0;

    if (!is_seen(c, sr, spec))
        return;
    struct error *e = sr_look(&c->config, spec, &p.look);

    c->v->checked[CHECKED_REPOSITORIES]++;
    if (e) {
        _cleanup_free_ char *text = error_string(e);

        error_free(e);
        advise(add_finding(c->v, ERROR, "repository-unreadable", sr->uuid,
                           "Repository %s (%s) cannot be looked at: %s.", sr->uuid, sr->name_label,
                           text),
               "is its file system mounted?");
        return;
    }
    find_readers(&p);
    check_problems(&p);
    vec_foreach (i, &p.look.images)
        check_image(&p, i);
    check_strays(&p);
    for (size_t i = 0; i < sr->inv.VDIs.n; i++) {
        _cleanup_version_ struct version *row =
            store_find(c->v->store, CLASS_VDI, sr->inv.VDIs.v[i]);

        if (row)
            check_row(&p, row->rec);
    }
    while ((d = strmap_next(&p.look.tree.vdis, &pos, NULL)))
        check_disk(&p, d);
    strmap_fini(&p.readers);
    sr_look_fini(&p.look);
}

/* ---- repositories ---- */

static void check_sr(struct storage_check *c, const struct sr_rec *sr)
{
    const struct sr_spec *spec = strmap_remove(&c->attached, sr->uuid);
    struct verify *v = c->v;

    for (size_t i = 0; i < sr->inv.PBDs.n; i++) {
        _cleanup_version_ struct version *b = store_find(v->store, CLASS_PBD, sr->inv.PBDs.v[i]);
        const struct pbd_rec *pbd = b ? b->rec : NULL;

        if (!pbd || is_planned(v, sr->uuid) || is_planned(v, sr->self) || is_planned(v, pbd->self))
            return;
        if (pbd->currently_attached == (spec != NULL))
            continue;
        advise(add_finding(v, WARNING, spec ? "repository-not-detached" : "repository-not-attached",
                           sr->uuid,
                           "Repository %s (%s) is %s by its PBD, but %s for "
                           "xenolith-hostd.",
                           sr->uuid, sr->name_label, spec ? "unplugged" : "plugged",
                           spec ? "attached" : "not attached"),
               spec ? "plug and unplug its PBD" : "xenolithd attaches it when it starts");
    }
    if (spec)
        check_place(c, sr, spec);
}

static void check_unknown(struct storage_check *c)
{
    const struct sr_spec *spec;
    size_t pos = 0;

    while ((spec = strmap_next(&c->attached, &pos, NULL)))
        if (!is_planned(c->v, spec->uuid))
            advise(add_finding(c->v, WARNING, "attachment-without-row", spec->uuid,
                               "xenolith-hostd has repository %s attached, which the store does "
                               "not know.",
                               spec->uuid),
                   "introduce it (xe sr-introduce), or stop xenolith-hostd and remove "
                   "storage/%s.json",
                   spec->uuid);
}

static void check_directories(struct storage_check *c)
{
    _cleanup_closedir_ DIR *dir = opendir(host_path(c->v, "sr"));
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        _cleanup_version_ struct version *sr =
            uuid_is_valid(entry->d_name) ? store_find_uuid(c->v->store, CLASS_SR, entry->d_name)
                                         : NULL;

        if (uuid_is_valid(entry->d_name) && !sr && !is_planned(c->v, entry->d_name))
            add_finding(c->v, NOTE, "directory-without-repository", entry->d_name,
                        "sr/%s lies there and belongs to no repository the store knows.",
                        entry->d_name);
    }
}

void check_storage(struct verify *v)
{
    /* Where xenolith-hostd lets repositories lie. */
    const char *const roots[] = {host_path(v, "sr"), host_path(v, "iso")};
    struct storage_check c = {.v = v,
                              .config = {.state_dir = v->host_dir,
                                         .run_dir = "",
                                         .roots = roots,
                                         .n_roots = ARRAY_SIZE(roots),
                                         .mount_root = host_path(v, "mnt"),
                                         .mounter_ctx = (void *)(uintptr_t)host_path(v, "mnt"),
                                         .qemu_img = "qemu-img",
                                         .storage_daemon = ""}};
    struct version_list all;

    storage_each_attached(v->host_dir, note_attached, &c);
    IGNORE_ERROR(mounter_programs.list(c.config.mounter_ctx, note_mount, &c));
    store_all(v->store, CLASS_SR, &all);
    vec_foreach (sr, &all)
        check_sr(&c, (*sr)->rec);
    version_list_fini(&all);
    check_unknown(&c);
    check_directories(&c);
    strmap_fini(&c.attached);
}
