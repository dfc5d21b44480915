/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An ISO library: every *.iso and *.img file of a directory is a read-only VDI whose location is
 * the file's name. Nothing is written there. A file called <uuid>.iso keeps that UUID, others get
 * one derived from the SR and the name, so they keep it as long as they are called the same.
 */

#include "base/io.h"
#include "storage/owner.h"
#include "storage/tune.h"
#include "value/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

struct place {
    char *path;
    char *uuid;
    int dir_fd;
    unsigned round;                     /* refreshes so far */
    struct strmap names;                /* node id -> struct iso_file */
    struct VEC(struct iso_file *) kept; /* owns what names refers to */
};

struct iso_file {
    struct uuid_text node;
    char *name;
    int64_t physical;
    unsigned seen; /* refresh in which it was last there */
};

static void place_free(struct place *p)
{
    vec_foreach (f, &p->kept) {
        free((*f)->name);
        free(*f);
    }
    vec_fini(&p->kept);
    strmap_fini(&p->names);
    cleanup_close(&p->dir_fd);
    free(p->uuid);
    free(p->path);
    free(p);
}

static struct error *iso_create(const struct place_config *c)
{
    return io_mkdir_p(c->location, 0755);
}

static struct error *iso_attach(const struct place_config *c, struct place **ret)
{
    int fd = open(c->location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(errno, "cannot open %s", c->location);
    struct place *p = xnew(struct place);
    p->dir_fd = fd;
    p->path = xstrdup(c->location);
    p->uuid = xstrdup(c->uuid);
    *ret = p;
    return NULL;
}

static struct error *iso_destroy(const struct place_config *c)
{
    return NULL; /* the library is its owner's */
}

static struct error *iso_check(struct place *p)
{
    struct stat held;
    struct stat now;

    if (fstat(p->dir_fd, &held) < 0 || stat(p->path, &now) < 0)
        return error_errno(errno == ENOENT ? ESTALE : errno, "cannot reach %s", p->path);
    if (held.st_dev != now.st_dev || held.st_ino != now.st_ino)
        return error_errno(ESTALE, "%s is not the directory that was attached", p->path);
    return NULL;
}

static struct error *iso_stat(struct place *p, int64_t *ret_size, int64_t *ret_used)
{
    struct statvfs st;

    TRY(iso_check(p));
    if (fstatvfs(p->dir_fd, &st) < 0)
        return error_errno(errno, "cannot get the space of %s", p->path);
    *ret_size = (int64_t)(st.f_blocks * st.f_frsize);
    *ret_used = (int64_t)((st.f_blocks - st.f_bavail) * st.f_frsize);
    return NULL;
}

static bool is_image(const char *name)
{
    size_t n = strlen(name);

    if (n < 5 || n > 255 || name[0] == '.')
        return false;
    return strcasecmp(name + n - 4, ".iso") == 0 || strcasecmp(name + n - 4, ".img") == 0;
}

static struct uuid_text vdi_uuid_of(const struct place *p, const char *name)
{
    struct uuid_text u = {0};

    if (strlen(name) == UUID_LEN + 4) {
        memcpy(u.s, name, UUID_LEN);
        if (uuid_is_plain(u.s))
            return u;
    }
    _cleanup_free_ char *key = xasprintf("%s/%s", p->uuid, name);
    return node_id_for(key, 2);
}

static struct iso_file *file_of(struct place *p, const char *node, const char *name)
{
    struct iso_file *f = strmap_find(&p->names, node);

    if (f)
        return f;
    f = xnew(struct iso_file);
    snprintf(f->node.s, sizeof(f->node.s), "%s", node);
    f->name = xstrdup(name);
    vec_add(&p->kept, f);
    strmap_set(&p->names, f->node.s, f);
    return f;
}

static void take_file(struct place *p, struct tree *t, const char *name, unsigned round)
{
    struct uuid_text uuid = vdi_uuid_of(p, name);
    struct uuid_text id = node_id_for(uuid.s, 0);
    struct stat st;

    /* A link could lead out of the places where images may lie. */
    if (fstatat(p->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        tree_problem(t, "%s: cannot be read", name);
        return;
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0 || t->nodes.n >= SR_NODES_MAX)
        return;
    struct iso_file *f = file_of(p, id.s, name);
    f->physical = (int64_t)st.st_blocks * 512;
    f->seen = round;
    struct node *n = tree_find_node(t, id.s);
    if (n) {
        if (n->readers == 0)
            n->size = st.st_size;
        return;
    }
    n = tree_add_node(t, id.s, IMAGE_RAW, st.st_size, NULL);
    struct vdi *v = tree_add_vdi(t, uuid.s, n);
    v->frozen = true;
    json_object_set_new(v->props, "name_label", json_string(name));
    json_object_set_new(v->props, "location", json_string(name));
}

static void drop_vanished(struct place *p, struct tree *t, unsigned round)
{
    struct vdi_list gone = {0};
    size_t pos = 0;
    const char *key;
    struct vdi *v;

    while ((v = strmap_next(&t->vdis, &pos, &key))) {
        const struct iso_file *f = strmap_find(&p->names, v->node->id.s);
        if (f->seen != round && v->node->readers == 0)
            vec_add(&gone, v);
    }
    vec_foreach (g, &gone) {
        struct node *n = (*g)->node;
        tree_remove_vdi(t, *g);
        tree_remove_node(t, n);
    }
    vec_fini(&gone);
}

static struct error *iso_refresh(struct place *p, struct tree *t)
{
    TRY(iso_check(p));
    int fd = openat(p->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!d) {
        int num = errno;
        cleanup_close(&fd);
        return error_errno(num, "cannot read directory %s", p->path);
    }
    t->complete = true;
    str_clear(&t->problems);
    unsigned round = ++p->round;
    while ((errno = 0, entry = readdir(d))) {
        if (is_image(entry->d_name))
            take_file(p, t, entry->d_name, round);
    }
    if (errno)
        return error_errno(errno, "cannot read directory %s", p->path);
    if (t->complete)
        drop_vanished(p, t, round);
    return NULL;
}

static struct error *iso_image_stat(struct place *p, const struct node *n, struct image_stat *ret)
{
    const struct iso_file *f = strmap_find(&p->names, n->id.s);
    struct stat st;

    *ret = (struct image_stat){0};
    if (!f || fstatat(p->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    ret->size = st.st_size;
    ret->physical = (int64_t)st.st_blocks * 512;
    ret->sound = st.st_size == n->size;
    return NULL;
}

static struct error *iso_image_path(struct place *p, const struct node *n, char ret[PATH_MAX])
{
    const struct iso_file *f = strmap_find(&p->names, n->id.s);

    if (!f)
        return error_errno(ENOENT, "no such image");
    if (snprintf(ret, PATH_MAX, "%s/%s", p->path, f->name) >= PATH_MAX)
        return error_errno(ENAMETOOLONG, "%s is too long", p->path);
    return NULL;
}

const struct sr_driver sr_iso_driver = {
    .type = "iso",
    .flags = SR_FLAT | SR_READ_ONLY,
    .create = iso_create,
    .attach = iso_attach,
    .detach = place_free,
    .destroy = iso_destroy,
    .stat = iso_stat,
    .check = iso_check,
    .image_stat = iso_image_stat,
    .image_path = iso_image_path,
    .refresh = iso_refresh,
    .owner = &owner_daemon_driver,
};
