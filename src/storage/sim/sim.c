/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulated place. An image is a sparse memory file, made when it is first written; whether an
 * image holds a page itself is asked of the kernel (SEEK_DATA), so an overlay needs no map.
 */

#include "storage/sim/sim.h"

#include "base/io.h"
#include "storage/tune.h"
#include "value/json.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE      4096
#define SUFFIX    ".json"
#define FAKE_SIZE (100ll << 40)

struct sim_image {
    struct uuid_text id;
    struct uuid_text parent; /* "" = none */
    int64_t size;
    int fd; /* -1 = nothing written yet */
};

struct place {
    char *path; /* directory of the records, a file each: removing one needs no room */
    pthread_mutex_t lock;
    struct strmap images;
};

/* ---- the place ---- */

static struct error *sim_create(const struct place_config *c)
{
    return io_mkdir_p(c->location, 0700);
}

static struct error *sim_attach(const struct place_config *c, struct place **ret)
{
    struct place *p = xnew(struct place);

    p->path = xstrdup(c->location);
    pthread_mutex_init(&p->lock, NULL);
    if (!c->only_look)
        io_remove_temporaries(p->path);
    *ret = p;
    return NULL;
}

static void image_free(struct sim_image *i)
{
    cleanup_close(&i->fd);
    free(i);
}

static void sim_detach(struct place *p)
{
    size_t pos = 0;
    const char *key;
    struct sim_image *i;

    while ((i = strmap_next(&p->images, &pos, &key)))
        image_free(i);
    strmap_fini(&p->images);
    pthread_mutex_destroy(&p->lock);
    free(p->path);
    free(p);
}

/* fn for each record; an absent directory has none. */
static struct error *each_record(const char *dir, void *ctx,
                                 struct error *(*fn)(void *ctx, const char *name, const char *path))
{
    _cleanup_closedir_ DIR *d = opendir(dir);
    const struct dirent *entry;

    while (d && (entry = readdir(d))) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, entry->d_name);
        size_t len = strlen(entry->d_name);

        if (!str_ends(entry->d_name, SUFFIX))
            continue;
        _cleanup_free_ char *name = xmemdup0(entry->d_name, len - strlen(SUFFIX));
        TRY(fn(ctx, name, path));
    }
    return NULL;
}

static struct error *remove_record(void *ctx, const char *name, const char *path)
{
    return io_unlink(path);
}

static struct error *sim_destroy(const struct place_config *c)
{
    TRY(each_record(c->location, NULL, remove_record));
    rmdir(c->location);
    return NULL;
}

static struct error *sim_check(struct place *p)
{
    return NULL;
}

static struct error *sim_stat(struct place *p, int64_t *ret_size, int64_t *ret_used)
{
    size_t pos = 0;
    const char *key;
    const struct sim_image *i;
    struct stat st;

    *ret_size = FAKE_SIZE;
    *ret_used = 0;
    while ((i = strmap_next(&p->images, &pos, &key))) {
        if (i->fd >= 0 && fstat(i->fd, &st) == 0)
            *ret_used += (int64_t)st.st_blocks * 512;
    }
    return NULL;
}

/* ---- records ---- */

static void image_from_record(struct place *p, const char *text)
{
    _cleanup_json_ json_t *j = json_loads(text, 0, NULL);
    const char *id = json_string_value(json_object_get(j, "node"));
    const char *parent = json_string_value(json_object_get(j, "parent"));
    struct sim_image *i = id && !json_object_get(j, "vdi") ? strmap_find(&p->images, id) : NULL;

    if (!id || json_object_get(j, "vdi"))
        return;
    if (!i) {
        i = xnew(struct sim_image);
        snprintf(i->id.s, sizeof(i->id.s), "%s", id);
        i->fd = -1;
        strmap_set(&p->images, i->id.s, i);
    }
    snprintf(i->parent.s, sizeof(i->parent.s), "%s", parent ? parent : "");
    i->size = json_integer_value(json_object_get(j, "size"));
    if (i->fd >= 0 && TEMP_FAILURE_RETRY(ftruncate(i->fd, i->size)) < 0)
        i->size = 0; /* memory files only grow here */
}

struct loading {
    struct place *place;
    struct tree *tree;
};

static struct error *load_record(void *ctx, const char *name, const char *path)
{
    const struct loading *l = ctx;
    _cleanup_str_ struct str text = STR_INIT;

    TRY(io_read_file(path, SR_RECORD_BYTES, &text));
    tree_load(l->tree, name, str_cstr(&text), text.len);
    image_from_record(l->place, str_cstr(&text));
    return NULL;
}

static struct error *sim_records(struct place *p, struct tree *into)
{
    struct loading l = {p, into};

    return each_record(p->path, &l, load_record);
}

static char *record_path(const struct place *p, const char *name)
{
    return xasprintf("%s/%s" SUFFIX, p->path, name);
}

/* Not flushed: the simulator promises speed, not durability against power cuts. */
static struct error *sim_record_write(struct place *p, const char *name, const char *text)
{
    _cleanup_free_ char *path = record_path(p, name);

    TRY(io_replace_file(path, text, strlen(text), 0600));
    pthread_mutex_lock(&p->lock);
    image_from_record(p, text);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static struct error *sim_record_remove(struct place *p, const char *name)
{
    _cleanup_free_ char *path = record_path(p, name);

    return io_unlink(path);
}

/* ---- data, with the lock held ---- */

static struct sim_image *find(struct place *p, const char *id)
{
    return *id ? strmap_find(&p->images, id) : NULL;
}

static bool holds_page(const struct sim_image *i, int64_t at)
{
    return i->fd >= 0 && at < i->size && lseek(i->fd, at, SEEK_DATA) == at;
}

/* One page of a chain; pages beyond the end of an image below are zero. */
static void read_page(struct place *p, const char *id, int64_t at, unsigned char buf[PAGE])
{
    memset(buf, 0, PAGE);
    for (const struct sim_image *i = find(p, id); i; i = find(p, i->parent.s)) {
        if (!holds_page(i, at))
            continue;
        if (TEMP_FAILURE_RETRY(pread(i->fd, buf, PAGE, at)) < 0)
            memset(buf, 0, PAGE);
        return;
    }
}

static struct error *open_image(struct sim_image *i)
{
    if (i->fd >= 0)
        return NULL;
    i->fd = memfd_create("sim-image", MFD_CLOEXEC);
    if (i->fd < 0 || TEMP_FAILURE_RETRY(ftruncate(i->fd, i->size)) < 0)
        return error_errno(errno, "cannot make an image in memory");
    return NULL;
}

static struct error *write_page(struct sim_image *i, const unsigned char buf[PAGE], int64_t at)
{
    size_t n = (size_t)MIN(PAGE, i->size - at);

    TRY(open_image(i));
    if (TEMP_FAILURE_RETRY(pwrite(i->fd, buf, n, at)) != (ssize_t)n)
        return error_errno(errno ? errno : EIO, "cannot write an image in memory");
    return NULL;
}

/* ---- data ---- */

struct error *sim_read(struct place *p, const char *node, void *buf, size_t n, int64_t at)
{
    unsigned char page[PAGE];
    unsigned char *out = buf;

    pthread_mutex_lock(&p->lock);
    while (n > 0) {
        int64_t start = at / PAGE * PAGE;
        size_t part = MIN(n, (size_t)(start + PAGE - at));
        read_page(p, node, start, page);
        memcpy(out, page + (at - start), part);
        out += part;
        at += (int64_t)part;
        n -= part;
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static struct error *write_locked(struct place *p, struct sim_image *i, const unsigned char *in,
                                  size_t n, int64_t at)
{
    unsigned char page[PAGE];

    while (n > 0) {
        int64_t start = at / PAGE * PAGE;
        size_t part = MIN(n, (size_t)(start + PAGE - at));
        read_page(p, i->id.s, start, page);
        if (in)
            memcpy(page + (at - start), in, part);
        else
            memset(page + (at - start), 0, part);
        TRY(write_page(i, page, start));
        in = in ? in + part : NULL;
        at += (int64_t)part;
        n -= part;
    }
    return NULL;
}

static struct error *write_any(struct place *p, const char *node, const void *buf, size_t n,
                               int64_t at)
{
    pthread_mutex_lock(&p->lock);
    struct sim_image *i = find(p, node);
    struct error *e = NULL;
    if (!i || at < 0 || at + (int64_t)n > i->size)
        e = error_errno(EINVAL, "write beyond the end");
    else
        e = write_locked(p, i, buf, n, at);
    pthread_mutex_unlock(&p->lock);
    return e;
}

struct error *sim_write(struct place *p, const char *node, const void *buf, size_t n, int64_t at)
{
    return write_any(p, node, buf, n, at);
}

struct error *sim_zero(struct place *p, const char *node, size_t n, int64_t at)
{
    return write_any(p, node, NULL, n, at);
}

int64_t sim_size(struct place *p, const char *node)
{
    pthread_mutex_lock(&p->lock);
    const struct sim_image *i = find(p, node);
    int64_t size = i ? i->size : 0;
    pthread_mutex_unlock(&p->lock);
    return size;
}

/* Calls fn-like body for each page an image holds itself. */
static struct error *copy_own_pages(const struct sim_image *from, struct sim_image *to)
{
    unsigned char page[PAGE];
    off_t at = 0;

    while (from->fd >= 0 && (at = lseek(from->fd, at, SEEK_DATA)) >= 0 && at < from->size) {
        memset(page, 0, PAGE);
        if (TEMP_FAILURE_RETRY(pread(from->fd, page, PAGE, at)) < 0)
            return error_errno(errno, "cannot read an image in memory");
        TRY(write_page(to, page, at));
        at += PAGE;
    }
    return NULL;
}

struct error *sim_merge(struct place *p, const char *top, const char *base)
{
    struct error *e = NULL;

    pthread_mutex_lock(&p->lock);
    struct sim_image *from = find(p, top);
    struct sim_image *to = find(p, base);
    assert(from && to);
    if (to->size < from->size) {
        to->size = from->size;
        if (to->fd >= 0 && TEMP_FAILURE_RETRY(ftruncate(to->fd, to->size)) < 0)
            e = error_errno(errno, "cannot grow an image in memory");
    }
    if (!e)
        e = copy_own_pages(from, to);
    pthread_mutex_unlock(&p->lock);
    return e;
}

/* ---- images ---- */

static struct error *sim_image_create(struct place *p, const struct node *n)
{
    pthread_mutex_lock(&p->lock);
    struct sim_image *i = find(p, n->id.s);
    assert(i); /* its record was written before */
    cleanup_close(&i->fd);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static struct error *sim_image_remove(struct place *p, const struct node *n)
{
    pthread_mutex_lock(&p->lock);
    struct sim_image *i = strmap_remove(&p->images, n->id.s);
    if (i)
        image_free(i);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static struct error *sim_image_resize(struct place *p, const struct node *n, int64_t size)
{
    pthread_mutex_lock(&p->lock);
    struct sim_image *i = find(p, n->id.s);
    i->size = size;
    int r = i->fd >= 0 ? TEMP_FAILURE_RETRY(ftruncate(i->fd, size)) : 0;
    pthread_mutex_unlock(&p->lock);
    return r < 0 ? error_errno(EFBIG, "cannot grow an image in memory") : NULL;
}

static struct error *sim_image_stat(struct place *p, const struct node *n, struct image_stat *ret)
{
    struct stat st;

    pthread_mutex_lock(&p->lock);
    const struct sim_image *i = find(p, n->id.s);
    *ret = (struct image_stat){.sound = i, .size = i ? i->size : 0};
    if (i && i->fd >= 0 && fstat(i->fd, &st) == 0)
        ret->physical = (int64_t)st.st_blocks * 512;
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static bool sim_image_untouched(struct place *p, const struct node *n)
{
    pthread_mutex_lock(&p->lock);
    const struct sim_image *i = find(p, n->id.s);
    bool untouched = i && i->fd < 0;

    pthread_mutex_unlock(&p->lock);
    return untouched;
}

static struct error *sim_image_copy(struct place *p, const struct node *n,
                                    const struct sr_driver *src_driver, struct place *src,
                                    const struct node *from, const struct image_progress *progress)
{
    const struct node *chain[VDI_DEPTH_MAX + 1];
    size_t depth = 0;

    for (const struct node *c = from; c; c = c->parent) {
        assert(depth < ARRAY_SIZE(chain));
        chain[depth++] = c;
    }
    /* From the base upwards: what lies above overwrites. */
    while (depth > 0) {
        pthread_mutex_lock(&src->lock);
        const struct sim_image *i = find(src, chain[--depth]->id.s);
        struct error *e = i ? copy_own_pages(i, find(p, n->id.s)) : NULL;
        pthread_mutex_unlock(&src->lock);
        TRY(e);
        if (progress && progress->cancelled && progress->cancelled(progress->arg))
            return error_errno(ECANCELED, "copy stopped");
    }
    return NULL;
}

static struct error *sim_image_sweep(struct place *p)
{
    return NULL;
}

const struct sr_driver sr_sim_driver = {
    .type = "sim",
    .create = sim_create,
    .attach = sim_attach,
    .detach = sim_detach,
    .destroy = sim_destroy,
    .stat = sim_stat,
    .check = sim_check,
    .records = sim_records,
    .record_write = sim_record_write,
    .record_remove = sim_record_remove,
    .image_create = sim_image_create,
    .image_copy = sim_image_copy,
    .image_remove = sim_image_remove,
    .image_resize = sim_image_resize,
    .image_stat = sim_image_stat,
    .image_untouched = sim_image_untouched,
    .image_sweep = sim_image_sweep,
    .owner = &owner_sim_driver,
};
