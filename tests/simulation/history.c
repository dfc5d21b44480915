/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializability: what transactions read and wrote, in the order of the commits. */
#include "simulation/history.h"

#include "model/txn_priv.h"
#include "simulation/digest.h"
#include "simulation/fail.h"
#include "simulation/mutants.h"
#include "simulation/sched.h"
#include "value/json.h"

/* An object as the newest staged commit left it. */
struct cell {
    char *ref;
    enum class_id class_id; /* CLASS_NONE = it does not exist */
    struct digest digest;
    struct version *version; /* kept by its digest */
};

/* A staged commit that nobody knows the end of. */
struct staged {
    struct list link;
    const struct pending *pending;
    const struct commit_later *later; /* NULL = a thread waits for the end */
    size_t n;
    struct undo {
        struct cell *cell;
        struct cell before;
    } * undo;
};

struct read {
    const struct txn_entry *entry;
    bool relations;
};

/* A transaction between txn_commit's begin and end, and what it had read by then. */
struct committing {
    struct list link;
    const struct fiber *fiber;
    const struct txn *txn;
    struct VEC(struct read) reads;
};

/* What txn_all gave. */
struct scan {
    struct list link;
    const struct txn *txn;
    enum class_id class_id;
    uint64_t members;
};

static struct strmap cells;
static uint64_t members[CLASS_MAX]; /* sum of the hashes of the references that exist */
static struct list staged = {.prev = &staged, .next = &staged};
static struct list committing = {.prev = &committing, .next = &committing};
static struct list scans = {.prev = &scans, .next = &scans};
static struct history_stats stats;

struct history_stats history_stats(void)
{
    return stats;
}

static struct cell *cell_of(const char *ref)
{
    struct cell *c = strmap_find(&cells, ref);

    if (c)
        return c;
    c = xnew(struct cell);
    c->ref = xstrdup(ref);
    strmap_set(&cells, c->ref, c);
    return c;
}

static uint64_t hash_ref(const char *ref)
{
    return hash_mem(ref, strlen(ref));
}

static void cell_set(struct cell *c, enum class_id class_id, struct version *v)
{
    if (c->class_id != CLASS_NONE)
        members[c->class_id] -= hash_ref(c->ref);
    if (class_id != CLASS_NONE)
        members[class_id] += hash_ref(c->ref);
    c->class_id = class_id;
    c->version = v;
    c->digest = v ? digest_of(v) : (struct digest){0};
}

/* ---- reads ---- */

static void say_field(struct str *out, const struct field *f, const void *rec)
{
    str_printf(out, "    %s: ", f->name);
    json_add_value(out, f->type, field_at(f, rec));
    str_add_char(out, '\n');
}

/* The fields in which two versions differ, for people. */
static const char *difference(const struct version *a, const struct version *b)
{
    const struct struct_info *si = classes[version_class(a)].info;
    const struct field_mask diff = record_diff(si, a->rec, b->rec);
    struct str out = STR_INIT;

    str_printf(&out, "  seen: own %lu, relations %lu; left: own %lu, relations %lu\n",
               (unsigned long)a->own_seq, (unsigned long)a->rel_seq, (unsigned long)b->own_seq,
               (unsigned long)b->rel_seq);
    for (int i = 0; i < si->n; i++) {
        if (!field_mask_has(&diff, i))
            continue;
        say_field(&out, &si->fields[i], a->rec);
        say_field(&out, &si->fields[i], b->rec);
    }
    return str_take(&out);
}

static void check_read(const struct read *r, const char *call)
{
    const struct txn_entry *e = r->entry;
    const struct cell *c = strmap_find(&cells, e->ref);
    bool there = c && c->class_id == e->class_id;

    stats.reads++;
    if (!e->base) {
        stats.absences++;
        if (there)
            fail("%s was committed although it had found no %s %s, which a commit before it made",
                 call, classes[e->class_id].name, e->ref);
        return;
    }
    if (!there)
        fail("%s was committed although it had read %s %s, which a commit before it deleted", call,
             classes[e->class_id].name, e->ref);
    struct digest seen = digest_of(e->base);

    if (seen.own != c->digest.own)
        fail(
            "%s was committed although it had read an older %s %s than the commit before it left:\n"
            "%s",
            call, classes[e->class_id].name, e->ref, difference(e->base, c->version));
    if (r->relations && seen.rel != c->digest.rel)
        fail("%s was committed although it had read older relations of %s %s than the commit"
             " before it left:\n%s",
             call, classes[e->class_id].name, e->ref, difference(e->base, c->version));
}

static void check_reads(const struct committing *c, const char *call)
{
    const struct scan *s;

    vec_foreach (r, &c->reads)
        check_read(r, call);
    list_foreach (s, &scans, link) {
        if (s->txn != c->txn)
            continue;
        stats.scans++;
        if (s->members != members[s->class_id])
            fail("%s was committed although it had listed other objects of %s than the commit"
                 " before it left",
                 call, classes[s->class_id].name);
    }
}

/* ---- writes ---- */

static void stage(struct staged *g, const struct pending *p)
{
    g->pending = p;
    g->later = p->later;
    g->n = p->n_done;
    g->undo = xnew_array(struct undo, p->n_done);
    for (size_t i = 0; i < p->n_done; i++) {
        const struct work_done *d = &p->done[i];
        struct cell *c = cell_of(d->obj->ref);

        g->undo[i] = (struct undo){.cell = c, .before = *c};
        if (d->made)
            cell_set(c, d->obj->class_id, d->made);
        else
            cell_set(c, CLASS_NONE, NULL);
    }
    list_append(&staged, &g->link);
}

static void drop(struct staged *g)
{
    list_remove(&g->link);
    free(g->undo);
    free(g);
}

/* The disk refused: the store took back everything on top, newest first, before anything else was
 * staged. `own`: failed and already freed, or NULL. */
static void take_back_failed(const struct staged *own)
{
    struct list *at = staged.prev;

    while (at != &staged) {
        struct staged *g = list_entry(at, struct staged, link);

        at = at->prev;
        if (!g->pending || (g != own && (!g->pending->finished || !g->pending->error)))
            continue;
        for (size_t i = g->n; i-- > 0;)
            cell_set(g->undo[i].cell, g->undo[i].before.class_id, g->undo[i].before.version);
        g->pending = NULL; /* its owner drops it */
    }
}

/* With the store locked: this is the moment the order is decided. */
static struct staged *stage_checked(const struct pending *p)
{
    struct staged *g = xnew(struct staged);
    const struct committing *c;

    take_back_failed(NULL);
    list_foreach (c, &committing, link)
        if (c->fiber == sched_self())
            check_reads(c, p->commit.call);
    trace_text(p->commit.call);
    stage(g, p);
    return g;
}

typeof(publish_pending) __real_publish_pending, __wrap_publish_pending;

struct error *__wrap_publish_pending(struct store *s, struct pending *p)
{
    struct staged *g = stage_checked(p);
    struct error *e = __real_publish_pending(s, p);

    /* p is gone; nobody else ran since. */
    if (e)
        take_back_failed(g);
    drop(g);
    stats.commits += !e;
    return e;
}

typeof(publish_later) __real_publish_later, __wrap_publish_later;

bool __wrap_publish_later(struct store *s, struct pending *p)
{
    struct staged *g = stage_checked(p);
    bool later = __real_publish_later(s, p);

    /* If it is to be told later it may have been by now. */
    if (!later) {
        drop(g);
        stats.commits++;
    }
    return later;
}

typeof(later_end) __real_later_end, __wrap_later_end;

void __wrap_later_end(struct store *s, struct pending *p)
{
    struct staged *g;

    if (p->error)
        take_back_failed(NULL);
    list_foreach (g, &staged, link)
        if (g->later == p->later)
            break;
    assert(&g->link != &staged);
    drop(g);
    stats.commits += !p->error;
    stats.laters++;
    __real_later_end(s, p);
}

/* ---- transactions ---- */

static void forget_scans(const struct txn *t)
{
    struct scan *s;

    list_foreach (s, &scans, link) {
        if (s->txn != t)
            continue;
        list_remove(&s->link);
        free(s);
    }
}

static void begin_commit(struct committing *c, struct txn *t)
{
    *c = (struct committing){.fiber = sched_self(), .txn = t};
    for (const struct txn_entry *e = t->entries; e; e = e->next)
        if (!e->inserted)
            vec_add(&c->reads, ((struct read){e, e->rel_read}));
    list_append(&committing, &c->link);
    mutant_before_commit(t);
}

static struct error *end_commit(struct committing *c, struct error *e)
{
    list_remove(&c->link);
    vec_fini(&c->reads);
    stats.conflicts += error_is(e, DB_CONFLICT);
    return e;
}

typeof(txn_commit) __real_txn_commit, __wrap_txn_commit;

struct error *__wrap_txn_commit(struct txn *t, const struct commit_info *info)
{
    struct committing c;

    begin_commit(&c, t);
    return end_commit(&c, __real_txn_commit(t, info));
}

typeof(txn_commit_later) __real_txn_commit_later, __wrap_txn_commit_later;

struct error *__wrap_txn_commit_later(struct txn *t, const struct commit_info *info,
                                      struct commit_later *l, bool *ret_later)
{
    struct committing c;

    begin_commit(&c, t);
    return end_commit(&c, __real_txn_commit_later(t, info, l, ret_later));
}

typeof(txn_free) __real_txn_free, __wrap_txn_free;

void __wrap_txn_free(struct txn *t)
{
    if (t)
        forget_scans(t);
    __real_txn_free(t);
}

typeof(txn_all) __real_txn_all, __wrap_txn_all;

size_t __wrap_txn_all(struct txn *t, enum class_id class_id, const void *const **ret)
{
    struct scan *s = xnew(struct scan);
    size_t n = __real_txn_all(t, class_id, ret);

    s->txn = t;
    s->class_id = class_id;
    for (size_t i = 0; i < n; i++) {
        const char *ref = *(const char *const *)(*ret)[i];
        const struct txn_entry *e = strmap_find(&t->by_ref, ref);

        if (!e->inserted)
            s->members += hash_ref(ref);
    }
    for (const struct txn_entry *e = t->entries; e; e = e->next)
        if (e->deleted && e->base && e->class_id == class_id)
            s->members += hash_ref(e->ref); /* left out of the list by this very transaction */
    list_append(&scans, &s->link);
    return n;
}

/* ---- lives ---- */

void history_daemon_gone(void)
{
    /* Nodes on stacks that are gone, too. */
    list_init(&staged);
    list_init(&committing);
    list_init(&scans);
    mutant_new_life();
}

/* The account starts from what was loaded; durable.c has compared that with what had to be there.
 */
void history_begin(struct store *s)
{
    const struct cell *c;
    size_t pos = 0;

    history_daemon_gone();
    while ((c = strmap_next(&cells, &pos, NULL)))
        cell_set(cell_of(c->ref), CLASS_NONE, NULL);
    for (int i = 1; i < CLASS_MAX; i++) {
        const struct object *o;

        list_foreach (o, &s->classes[i].all, all)
            cell_set(cell_of(o->ref), i, o->head);
    }
}

void history_count_load(size_t rows)
{
    stats.loads++;
    stats.rows += rows;
}
