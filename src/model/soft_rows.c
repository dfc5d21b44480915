/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A head and a table of slots, one a row. A slot is filled before its epoch is set and emptied
 * after it is cleared, so a program that is killed in between leaves no half of one. Slots of rows
 * that are gone are used again, oldest first; how far a run is forgotten by that is noted with the
 * run.
 */
#include "model/soft_rows.h"

#include "base/io.h"
#include "model/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAGIC       "xenolith-soft-1"
#define SLOTS       16384u
#define RUNS        32
#define GONE_AT_END UINT64_MAX /* with its run, or in a later one */

struct run {
    uint64_t epoch;
    uint64_t lost; /* what was deleted up to this stamp is forgotten */
};

struct head {
    char magic[16];
    char boot[40]; /* of the machine */
    uint64_t closed;
    uint64_t n_runs; /* ever; the last RUNS are kept */
    struct run runs[RUNS];
};

struct slot {
    _Atomic uint64_t epoch; /* 0 = free */
    uint64_t created;
    uint64_t gone; /* 0 = it lives */
    char class_name[24];
    char ref[64];
};

struct image {
    struct head head;
    struct slot slots[SLOTS];
};

struct soft_rows {
    struct image *image;
    struct run *run; /* this one */
    uint64_t epoch;
    uint32_t free[SLOTS]; /* a ring: free slots, then those of rows that are gone, oldest first */
    size_t first, n_free;
};

static void give_slot(struct soft_rows *r, size_t i)
{
    r->free[(r->first + r->n_free++) % SLOTS] = (uint32_t)i;
}

static struct run *find_run(const struct soft_rows *r, uint64_t epoch)
{
    for (size_t i = 0; i < RUNS; i++)
        if (r->image->head.runs[i].epoch == epoch)
            return &r->image->head.runs[i];
    return NULL;
}

/* NULL: every slot is a living row's. */
static struct slot *take_slot(struct soft_rows *r)
{
    if (!r->n_free)
        return NULL;
    struct slot *s = &r->image->slots[r->free[r->first]];
    struct run *run = s->epoch ? find_run(r, s->epoch) : NULL;

    r->first = (r->first + 1) % SLOTS;
    r->n_free--;
    if (run)
        run->lost = MAX(run->lost, s->gone);
    s->epoch = 0;
    return s;
}

void soft_rows_born(struct soft_rows *r, struct object *o)
{
    if (!r || !classes[o->class_id].emits_events)
        return;
    struct slot *s = strlen(o->ref) < sizeof(s->ref) ? take_slot(r) : NULL;

    if (!s) {
        r->run->lost = GONE_AT_END; /* it will not be known when it is gone */
        return;
    }
    s->created = o->head->stamp;
    s->gone = 0;
    snprintf(s->class_name, sizeof(s->class_name), "%s", classes[o->class_id].name);
    snprintf(s->ref, sizeof(s->ref), "%s", o->ref);
    atomic_store_explicit(&s->epoch, r->epoch, memory_order_release);
    o->soft_slot = (uint32_t)(s - r->image->slots) + 1;
}

void soft_rows_gone(struct soft_rows *r, const struct object *o, uint64_t stamp)
{
    if (!r || !o->soft_slot)
        return;
    struct slot *s = &r->image->slots[o->soft_slot - 1];

    s->gone = s->epoch == r->epoch ? stamp : GONE_AT_END;
    give_slot(r, o->soft_slot - 1);
}

bool soft_rows_know(const struct soft_rows *r, const struct token *since)
{
    const struct run *run = r ? find_run(r, since->epoch) : NULL;

    return run && run->lost <= since->stamp;
}

void soft_rows_each_gone(const struct soft_rows *r, const struct token *since, void *ctx,
                         void (*fn)(void *ctx, enum class_id class_id, const char *ref))
{
    for (size_t i = 0; r && i < SLOTS; i++) {
        const struct slot *s = &r->image->slots[i];

        if (s->epoch == since->epoch && s->created <= since->stamp && s->gone > since->stamp)
            fn(ctx, class_find(s->class_name), s->ref);
    }
}

/* ---- opening ---- */

static struct error *this_boot(char text[40])
{
    _cleanup_str_ struct str id = STR_INIT;

    TRY(io_read_file("/proc/sys/kernel/random/boot_id", 64, &id));
    snprintf(text, 40, "%.36s", str_cstr(&id));
    return NULL;
}

static struct error *map_file(const char *path, struct image **ret)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(errno, "cannot open %s", path);
    if (st.st_size != sizeof(struct image))
        return error_errno(EINVAL, "%s has another size", path);
    void *p = mmap(NULL, sizeof(struct image), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        return error_errno(errno, "cannot map %s", path);
    *ret = p;
    return NULL;
}

static bool is_whole(const struct image *m, const char *boot)
{
    const struct head *h = &m->head;

    if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
        return false;
    for (size_t i = 0; i < SLOTS; i++)
        if (m->slots[i].ref[sizeof(m->slots[i].ref) - 1] ||
            m->slots[i].class_name[sizeof(m->slots[i].class_name) - 1])
            return false;
    return h->closed || !strncmp(h->boot, boot, sizeof(h->boot));
}

/* Written out, not left as a hole: a mapped page that the disk has no room for ends the program. */
static struct error *begin_anew(const char *path, struct image **ret)
{
    _cleanup_free_ struct image *empty = xnew(struct image);

    memcpy(empty->head.magic, MAGIC, sizeof(empty->head.magic));
    TRY(io_replace_file(path, empty, sizeof(*empty), 0600));
    return map_file(path, ret);
}

static void add_run(struct soft_rows *r)
{
    struct head *h = &r->image->head;

    r->run = find_run(r, r->epoch);
    if (r->run)
        return; /* the program before this one has handed it over */
    r->run = &h->runs[h->n_runs++ % RUNS];
    *r->run = (struct run){.epoch = r->epoch};
}

/* Rows of earlier runs live on if they got into the database, or were handed over. */
static void look_for(struct soft_rows *r, struct store *s, size_t i)
{
    struct slot *slot = &r->image->slots[i];
    struct object *o = object_find(s, class_find(slot->class_name), slot->ref);

    if (o && o->head && !o->soft_slot)
        o->soft_slot = (uint32_t)i + 1;
    else
        slot->gone = GONE_AT_END;
}

/* How late a run was; 0 = no run. */
static uint64_t age_of_run(const struct soft_rows *r, uint64_t epoch)
{
    const struct head *h = &r->image->head;
    const struct run *run = epoch ? find_run(r, epoch) : NULL;

    return run ? 1 + (uint64_t)(run - h->runs + RUNS - h->n_runs % RUNS) % RUNS : 0;
}

/* Free ones first, then by run, then by when the row went. */
static int by_age(const void *a, const void *b, void *ctx)
{
    const struct soft_rows *r = ctx;
    const struct slot *x = &r->image->slots[*(const uint32_t *)a];
    const struct slot *y = &r->image->slots[*(const uint32_t *)b];
    const uint64_t p = age_of_run(r, x->epoch), q = age_of_run(r, y->epoch);

    if (p != q)
        return p < q ? -1 : 1;
    return x->gone < y->gone ? -1 : x->gone > y->gone;
}

static void read_slots(struct soft_rows *r, struct store *s)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &r->image->slots[i];

        if (slot->epoch && !find_run(r, slot->epoch))
            slot->epoch = 0;
        if (slot->epoch && !slot->gone)
            look_for(r, s, i);
        if (!slot->epoch || slot->gone)
            give_slot(r, i);
    }
    qsort_r(r->free, r->n_free, sizeof(*r->free), by_age, r);
}

struct error *soft_rows_open(const char *path, struct store *s, struct soft_rows **ret)
{
    struct image *image = NULL;
    char boot[40];

    TRY(this_boot(boot));
    struct error *e = map_file(path, &image);

    if (e || !is_whole(image, boot)) {
        error_free(e);
        if (image)
            munmap(image, sizeof(*image));
        TRY(begin_anew(path, &image));
    }
    struct soft_rows *r = xnew(struct soft_rows);

    r->image = image;
    r->epoch = s->epoch;
    memcpy(image->head.boot, boot, sizeof(image->head.boot));
    image->head.closed = 0;
    add_run(r);
    read_slots(r, s);
    *ret = r;
    return NULL;
}

void soft_rows_close(struct soft_rows *r)
{
    if (!r)
        return;
    r->image->head.closed = 1;
    munmap(r->image, sizeof(*r->image));
    free(r);
}
