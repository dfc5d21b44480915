/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An SR in a directory. One flat directory holds:
 *
 *     sr.json              whose SR this is; also the lock of the process that has it attached
 *     <node>.json          record of an image          <node>.qcow2|raw|vhd   the image
 *     <vdi>.vdi.json       record of a VDI             <vdi>.qcow2|raw|vhd    a link for people
 *     .making-*            an image being made: never referred to, swept away at attach
 *
 * Everything is reached through a descriptor of the directory, and `check` compares it with what
 * the path leads to now, so a file system that was unmounted or replaced is noticed.
 */

#include "base/io.h"
#include "storage/image_header.h"
#include "storage/owner.h"
#include "storage/qcow2_new.h"
#include "storage/qimg.h"
#include "storage/tune.h"
#include "value/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define MARKER        "sr.json"
#define MAKING_PREFIX ".making-"

struct place {
    char *path;
    char *qemu_img;
    int dir_fd;
    int lock_fd;
};

static char *in_dir(const struct place *p, const char *name)
{
    return xasprintf("%s/%s", p->path, name);
}

static char *image_name(const struct node *n)
{
    return xasprintf("%s.%s", n->id.s, image_format_names[n->format]);
}

/* ---- the place ---- */

/* Whose SR lies in a directory; ENOENT if none does. */
static struct error *dir_whose(const char *location, struct uuid_text *ret)
{
    _cleanup_free_ char *path = xasprintf("%s/" MARKER, location);
    _cleanup_str_ struct str text = STR_INIT;

    TRY(io_read_file(path, 4096, &text));
    _cleanup_json_ json_t *j = json_loadb(str_cstr(&text), text.len, 0, NULL);
    const char *found = json_string_value(json_object_get(j, "sr"));
    if (!found || !uuid_is_plain(found))
        return error_errno(ESTALE, "%s names no SR", path);
    snprintf(ret->s, sizeof(ret->s), "%s", found);
    return NULL;
}

static struct error *read_marker(const char *location, const char *uuid)
{
    struct uuid_text found;

    TRY(dir_whose(location, &found));
    if (!streq(found.s, uuid))
        return error_errno(ESTALE, "%s belongs to another SR", location);
    return NULL;
}

static struct error *dir_create(const struct place_config *c)
{
    _cleanup_free_ char *path = xasprintf("%s/" MARKER, c->location);
    _cleanup_free_ char *text = xasprintf("{\"xenolith\": 1, \"sr\": \"%s\"}\n", c->uuid);

    TRY(io_mkdir_p(c->location, 0700));
    struct error *e = read_marker(c->location, c->uuid);
    if (!e)
        return NULL;
    if (e->errnum != ENOENT)
        return e;
    error_free(e);
    return io_write_file(path, text, strlen(text), 0600);
}

static void place_free(struct place *p)
{
    cleanup_close(&p->dir_fd);
    cleanup_close(&p->lock_fd);
    free(p->qemu_img);
    free(p->path);
    free(p);
}

static struct error *place_open(struct place *p, const struct place_config *c)
{
    p->dir_fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir_fd < 0)
        return error_errno(errno, "cannot open %s", p->path);
    TRY(read_marker(p->path, c->uuid));
    if (c->only_look)
        return NULL;
    p->lock_fd = openat(p->dir_fd, MARKER, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (p->lock_fd < 0)
        return error_errno(errno, "cannot open %s/" MARKER, p->path);
    struct error *e = io_lock(p->lock_fd);

    return e ? error_prepend(e, "%s is attached by another process", p->path) : NULL;
}

static struct error *dir_attach(const struct place_config *c, struct place **ret)
{
    struct place *p = xnew(struct place);

    p->dir_fd = p->lock_fd = -1;
    p->path = xstrdup(c->location);
    p->qemu_img = xstrdup(c->storage->qemu_img);
    struct error *e = place_open(p, c);
    if (e) {
        place_free(p);
        return e;
    }
    *ret = p;
    return NULL;
}

static struct error *dir_check(struct place *p)
{
    struct stat held;
    struct stat now;

    if (fstat(p->dir_fd, &held) < 0 || stat(p->path, &now) < 0)
        return error_errno(errno == ENOENT ? ESTALE : errno, "cannot reach %s", p->path);
    if (held.st_nlink == 0 || held.st_dev != now.st_dev || held.st_ino != now.st_ino)
        return error_errno(ESTALE, "%s is not the directory that was attached", p->path);
    return NULL;
}

static struct error *dir_stat(struct place *p, int64_t *ret_size, int64_t *ret_used)
{
    struct statvfs st;

    TRY(dir_check(p));
    if (fstatvfs(p->dir_fd, &st) < 0)
        return error_errno(errno, "cannot get the space of %s", p->path);
    *ret_size = (int64_t)(st.f_blocks * st.f_frsize);
    *ret_used = (int64_t)((st.f_blocks - st.f_bavail) * st.f_frsize);
    return NULL;
}

/* ---- walking the directory ---- */

typedef struct error *name_fn(void *arg, const char *name);

static struct error *each_name(int dir_fd, const char *path, name_fn *fn, void *arg)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d) {
        int num = errno;
        cleanup_close(&fd);
        return error_errno(num, "cannot read directory %s", path);
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (!entry)
            return errno ? error_errno(errno, "cannot read directory %s", path) : NULL;
        TRY(fn(arg, entry->d_name));
    }
}

static bool is_record(const char *name)
{
    return uuid_is_with(name, ".json") || uuid_is_with(name, ".vdi.json");
}

static bool is_image_or_link(const char *name)
{
    return uuid_is_with(name, ".qcow2") || uuid_is_with(name, ".raw") || uuid_is_with(name, ".vhd");
}

/* What a crash may leave of image_create and of a record being written. */
static bool is_leftover(const char *name)
{
    return str_starts(name, MAKING_PREFIX) || str_ends(name, ".json.tmp");
}

struct loading {
    struct place *place;
    struct tree *tree;
};

static struct error *load_record(void *arg, const char *name)
{
    struct loading *l = arg;
    _cleanup_str_ struct str text = STR_INIT;

    if (!is_record(name))
        return NULL;
    _cleanup_free_ char *path = in_dir(l->place, name);
    struct error *e = io_read_file(path, SR_RECORD_BYTES, &text);
    if (e) {
        tree_problem(l->tree, "%s: %s", name, e->detail);
        error_free(e);
        return NULL;
    }
    tree_load(l->tree, name, str_cstr(&text), text.len);
    return NULL;
}

static struct error *dir_records(struct place *p, struct tree *into)
{
    struct loading l = {.place = p, .tree = into};

    TRY(dir_check(p));
    return each_name(p->dir_fd, p->path, load_record, &l);
}

static struct error *dir_record_write(struct place *p, const char *name, const char *text)
{
    _cleanup_free_ char *path = xasprintf("%s/%s.json", p->path, name);

    TRY(dir_check(p));
    return io_write_file(path, text, strlen(text), 0600);
}

static struct error *remove_durably(struct place *p, const char *name)
{
    if (unlinkat(p->dir_fd, name, 0) < 0 && errno != ENOENT)
        return error_errno(errno, "cannot remove %s/%s", p->path, name);
    if (fsync(p->dir_fd) < 0)
        return error_errno(errno, "cannot flush directory %s", p->path);
    return NULL;
}

static struct error *dir_record_remove(struct place *p, const char *name)
{
    _cleanup_free_ char *file = xasprintf("%s.json", name);

    TRY(dir_check(p));
    return remove_durably(p, file);
}

/* A link for people to a disk that is gone. */
static bool is_stale_link(struct place *p, const char *name)
{
    char record[UUID_LEN + sizeof(".vdi.json")];
    struct stat st;

    if (!is_image_or_link(name) || fstatat(p->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISLNK(st.st_mode))
        return false;
    snprintf(record, sizeof(record), "%.*s.vdi.json", UUID_LEN, name);
    return faccessat(p->dir_fd, record, F_OK, 0) < 0 && errno == ENOENT;
}

static struct error *sweep_one(void *arg, const char *name)
{
    struct place *p = arg;

    if ((is_leftover(name) || is_stale_link(p, name)) && unlinkat(p->dir_fd, name, 0) < 0 &&
        errno != ENOENT)
        return error_errno(errno, "cannot remove %s/%s", p->path, name);
    return NULL;
}

static struct error *dir_image_sweep(struct place *p)
{
    return each_name(p->dir_fd, p->path, sweep_one, p);
}

struct stray_search {
    struct place *place;
    const struct tree *tree;
    void *arg;
    void (*fn)(void *arg, const char *name, bool half_made);
};

static struct error *look_at_name(void *arg, const char *name)
{
    const struct stray_search *s = arg;
    char id[UUID_LEN + 1];
    struct stat st;

    if (is_leftover(name))
        s->fn(s->arg, name, true);
    if (!is_image_or_link(name) || fstatat(s->place->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode))
        return NULL;
    snprintf(id, sizeof(id), "%s", name);
    const struct node *n = tree_find_node(s->tree, id);
    _cleanup_free_ char *expected = n ? image_name(n) : NULL;

    if (!expected || !streq(name, expected))
        s->fn(s->arg, name, false);
    return NULL;
}

static struct error *dir_strays(struct place *p, const struct tree *t, void *arg,
                                void (*fn)(void *arg, const char *name, bool half_made))
{
    struct stray_search s = {.place = p, .tree = t, .arg = arg, .fn = fn};

    return each_name(p->dir_fd, p->path, look_at_name, &s);
}

/* ---- images ---- */

/* The temporary gets the image's name and the directory is flushed. */
static struct error *publish(struct place *p, const char *making, const struct node *n)
{
    _cleanup_free_ char *name = image_name(n);

    if (renameat(p->dir_fd, making, p->dir_fd, name) < 0)
        return error_errno(errno, "cannot rename %s to %s", making, name);
    if (fsync(p->dir_fd) < 0)
        return error_errno(errno, "cannot flush directory %s", p->path);
    return NULL;
}

static struct error *make_raw(struct place *p, const char *name, int64_t size)
{
    _cleanup_close_ int fd =
        openat(p->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || TEMP_FAILURE_RETRY(ftruncate(fd, size)) < 0 || fsync(fd) < 0)
        return error_errno(errno, "cannot create %s/%s", p->path, name);
    return NULL;
}

static struct error *make_empty(struct place *p, const struct node *n, const char *name)
{
    _cleanup_free_ char *parent = n->parent ? image_name(n->parent) : NULL;
    _cleanup_free_ char *path = in_dir(p, name);

    if (n->format == IMAGE_RAW)
        return make_raw(p, name, n->size);
    if (n->format == IMAGE_VHD)
        return qimg_create(p->qemu_img, path, n->format, n->size);
    return qcow2_create(p->dir_fd, name, n->size, parent,
                        parent ? qimg_driver(n->parent->format) : NULL);
}

static struct error *dir_image_create(struct place *p, const struct node *n)
{
    _cleanup_free_ char *making = xasprintf(MAKING_PREFIX "%s", n->id.s);

    TRY(dir_check(p));
    unlinkat(p->dir_fd, making, 0);
    struct error *e = make_empty(p, n, making);
    if (!e)
        e = publish(p, making, n);
    if (e)
        unlinkat(p->dir_fd, making, 0);
    return e;
}

/* Block options of a whole chain, nested: what qemu-img takes behind "json:". */
static struct error *chain_options(const struct sr_driver *d, struct place *p, const struct node *n,
                                   json_t **ret)
{
    _cleanup_json_ json_t *below = NULL;
    char path[PATH_MAX];

    if (n->parent)
        TRY(chain_options(d, p, n->parent, &below));
    TRY(d->image_path(p, n, path));
    json_t *j = json_pack("{s:s, s:b, s:{s:s, s:s}}", "driver", qimg_driver(n->format), "read-only",
                          1, "file", "driver", "file", "filename", path);

    if (n->format == IMAGE_QCOW2)
        json_object_set_new(j, "backing", below ? json_incref(below) : json_null());
    *ret = j;
    return NULL;
}

static struct error *dir_image_copy(struct place *p, const struct node *n,
                                    const struct sr_driver *src_driver, struct place *src,
                                    const struct node *from, const struct image_progress *progress)
{
    _cleanup_free_ char *making = xasprintf(MAKING_PREFIX "%s", n->id.s);
    _cleanup_free_ char *path = in_dir(p, making);
    _cleanup_json_ json_t *source = NULL;

    TRY(dir_check(p));
    TRY(chain_options(src_driver, src, from, &source));
    struct error *e = qimg_convert(p->qemu_img, source, path, n->format, progress);
    if (!e)
        e = publish(p, making, n);
    if (e)
        unlinkat(p->dir_fd, making, 0);
    return e;
}

static struct error *dir_image_remove(struct place *p, const struct node *n)
{
    _cleanup_free_ char *name = image_name(n);

    TRY(dir_check(p));
    return remove_durably(p, name);
}

static struct error *dir_image_resize(struct place *p, const struct node *n, int64_t size)
{
    _cleanup_free_ char *name = image_name(n);
    _cleanup_free_ char *path = in_dir(p, name);

    TRY(dir_check(p));
    return qimg_resize(p->qemu_img, path, n->format, size);
}

static struct error *dir_image_stat(struct place *p, const struct node *n, struct image_stat *ret)
{
    _cleanup_free_ char *name = image_name(n);

    image_file_stat(p->dir_fd, name, n->format, n->size, ret);
    return NULL;
}

static bool dir_image_untouched(struct place *p, const struct node *n)
{
    _cleanup_free_ char *name = image_name(n);

    return n->format == IMAGE_QCOW2 && qcow2_is_untouched(p->dir_fd, name, n->size);
}

static void dir_image_rebase(struct place *p, const struct node *n)
{
    _cleanup_free_ char *name = image_name(n);
    _cleanup_free_ char *path = in_dir(p, name);
    _cleanup_free_ char *parent = n->parent ? image_name(n->parent) : NULL;

    if (parent && n->format == IMAGE_QCOW2)
        IGNORE_ERROR(qimg_rebase(p->qemu_img, path, parent, n->parent->format));
}

static struct error *dir_image_path(struct place *p, const struct node *n, char ret[PATH_MAX])
{
    int len = snprintf(ret, PATH_MAX, "%s/%s.%s", p->path, n->id.s, image_format_names[n->format]);

    if (len >= PATH_MAX)
        return error_errno(ENAMETOOLONG, "%s is too long", p->path);
    return NULL;
}

static void dir_link(struct place *p, const char *vdi, const struct node *n)
{
    for (int i = 0; i < IMAGE_FORMAT_MAX; i++) {
        _cleanup_free_ char *name = xasprintf("%s.%s", vdi, image_format_names[i]);
        struct stat st;

        if (fstatat(p->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
            unlinkat(p->dir_fd, name, 0);
    }
    if (!n)
        return;
    _cleanup_free_ char *name = xasprintf("%s.%s", vdi, image_format_names[n->format]);
    _cleanup_free_ char *target = image_name(n);
    /* A comfort only: a failure changes nothing. */
    if (symlinkat(target, p->dir_fd, name) < 0)
        return;
}

/* ---- erasing ---- */

static struct error *erase_one(void *arg, const char *name)
{
    struct place *p = arg;

    if (!is_record(name) && !is_image_or_link(name) && !is_leftover(name))
        return NULL;
    if (unlinkat(p->dir_fd, name, 0) < 0 && errno != ENOENT)
        return error_errno(errno, "cannot remove %s/%s", p->path, name);
    return NULL;
}

static struct error *dir_destroy(const struct place_config *c)
{
    struct place *p = NULL;
    struct error *e = dir_attach(c, &p);

    if (e && e->errnum == ENOENT) {
        error_free(e);
        return NULL;
    }
    TRY(e);
    e = each_name(p->dir_fd, p->path, erase_one, p);
    if (!e)
        e = remove_durably(p, MARKER);
    if (!e)
        (void)!rmdir(p->path); /* stays if it holds something else */
    place_free(p);
    return e;
}

const struct sr_driver sr_dir_driver = {
    .type = "file",
    .create = dir_create,
    .attach = dir_attach,
    .detach = place_free,
    .destroy = dir_destroy,
    .whose = dir_whose,
    .stat = dir_stat,
    .check = dir_check,
    .records = dir_records,
    .record_write = dir_record_write,
    .record_remove = dir_record_remove,
    .image_create = dir_image_create,
    .image_copy = dir_image_copy,
    .image_remove = dir_image_remove,
    .image_resize = dir_image_resize,
    .image_stat = dir_image_stat,
    .image_untouched = dir_image_untouched,
    .image_rebase = dir_image_rebase,
    .image_sweep = dir_image_sweep,
    .strays = dir_strays,
    .link = dir_link,
    .image_path = dir_image_path,
    .owner = &owner_daemon_driver,
};
