/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changed since a token. Every class keeps its objects in the order of their last change and
 * a bounded ring of deletions, so an answer costs what changed and not what exists.
 *
 * A token of this run compares stamps. A token of an earlier run compares generations; soft fields
 * have started anew then, so every object that holds any is told again. Soft rows have ended with
 * that run; soft_rows.c knows which there were. Where it does not, who listens to a class that has
 * such rows begins anew, who named the rows hears that they are gone.
 */
#include "model/soft_rows.h"
#include "model/store_priv.h"

#include "base/world.h"

#include <inttypes.h>

void feed_init(struct class_state *c)
{
    list_init(&c->changed);
    list_init(&c->all);
}

void feed_fini(struct class_state *c)
{
    vec_fini(&c->tombs);
}

void feed_published(struct store *s, struct object *o, struct version *old)
{
    struct class_state *c = &s->classes[o->class_id];

    if (!old) {
        o->created_stamp = o->head->stamp;
        list_append(&c->all, &o->all);
        c->n++;
    }
    list_remove(&o->change);
    list_append(&c->changed, &o->change);
}

void feed_tombstone(struct store *s, const struct tombstone *t)
{
    struct class_state *c = &s->classes[t->class_id];

    if (c->tombs.n < DB_TOMBSTONES_MAX) {
        vec_add(&c->tombs, *t);
        return;
    }
    const struct tombstone *oldest = &c->tombs.v[c->tomb_start];

    c->tombs_lost.stamp = oldest->stamp;
    if (oldest->generation)
        c->tombs_lost.generation = oldest->generation;
    c->tombs.v[c->tomb_start] = *t;
    c->tomb_start = (c->tomb_start + 1) % c->tombs.n;
}

void token_print(const struct token *t, char text[TOKEN_TEXT_MAX])
{
    snprintf(text, TOKEN_TEXT_MAX, "%020" PRIu64 ",%016" PRIx64 "%016" PRIx64, t->generation,
             t->epoch, t->stamp);
}

static bool parse_hex16(const char *s, uint64_t *ret)
{
    uint64_t v = 0;

    for (int i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdef";
        const char *d = s[i] ? strchr(digits, s[i]) : NULL;

        if (!d)
            return false;
        v = v << 4 | (uint64_t)(d - digits);
    }
    *ret = v;
    return true;
}

bool token_parse(const char *text, struct token *ret)
{
    struct token t = {0};

    if (!*text) {
        *ret = t;
        return true;
    }
    if (strlen(text) != 53 || text[20] != ',')
        return false;
    for (int i = 0; i < 20; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        t.generation = t.generation * 10 + (uint64_t)(text[i] - '0');
    }
    if (!parse_hex16(text + 21, &t.epoch) || !parse_hex16(text + 37, &t.stamp))
        return false;
    *ret = t;
    return true;
}

static struct token now_locked(const struct store *s)
{
    return (struct token){
        .generation = s->published_generation, .epoch = s->epoch, .stamp = s->stamp};
}

struct token store_now(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    struct token t = now_locked(s);

    pthread_mutex_unlock(&s->lock);
    return t;
}

struct feed_query {
    struct store *store;
    const struct interest *interest;
    const struct token *since;
    bool all;      /* token "": everything is an addition */
    bool same_run; /* stamps may be compared */
    struct changes *out;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void interest_sort(struct interest *i)
{
    if (i->refs.n)
        qsort(i->refs.v, i->refs.n, sizeof(*i->refs.v), by_text);
}

bool interest_wants(const struct interest *i, enum class_id class_id, const char *ref)
{
    if (i->class_all[class_id])
        return true;
    return i->class_some[class_id] &&
           bsearch(&ref, i->refs.v, i->refs.n, sizeof(*i->refs.v), by_text);
}

/* So many look-ups are cheaper than a walk over what changed lately. */
#define A_FEW 16

static bool class_has_soft(enum class_id class_id)
{
    const struct struct_info *si = classes[class_id].info;

    for (int i = 0; i < si->n; i++)
        if (si->fields[i].flags & FIELD_SOFT)
            return true;
    return classes[class_id].soft;
}

static bool class_has_soft_rows(enum class_id class_id)
{
    return classes[class_id].soft || class_id == CLASS_TASK;
}

static void add_change(const struct feed_query *q, enum change_op op, uint64_t stamp,
                       const struct object *o)
{
    struct change c = {.op = op, .class_id = o->class_id, .stamp = stamp};

    c.version = version_ref(o->head);
    snprintf(c.ref, sizeof(c.ref), "%s", o->ref);
    vec_add(&q->out->list, c);
}

/* Takes one object if it changed. False: neither it nor any that changed before it did. */
static bool collect_object(const struct feed_query *q, const struct object *o, bool soft)
{
    const struct version *v = o->head;
    bool created = q->same_run ? o->created_stamp > q->since->stamp
                               : !v->hard_gen || v->created_gen > q->since->generation;

    if (q->same_run && v->stamp <= q->since->stamp)
        return false;
    if (q->same_run || q->all || !v->hard_gen || v->hard_gen > q->since->generation || soft)
        add_change(q, q->all || created ? CHANGE_ADD : CHANGE_MOD, v->stamp, o);
    return true;
}

/* A listener to a few objects does not walk what happened to the others. */
static void collect_named(const struct feed_query *q, enum class_id class_id, bool soft)
{
    const struct interest *in = q->interest;

    for (size_t i = 0; i < in->refs.n; i++) {
        if (i && streq(in->refs.v[i], in->refs.v[i - 1]))
            continue;
        const struct object *o = object_find(q->store, class_id, in->refs.v[i]);

        if (o && o->head)
            collect_object(q, o, soft);
    }
}

static void collect_objects(const struct feed_query *q, enum class_id class_id)
{
    struct class_state *c = &q->store->classes[class_id];
    bool soft = class_has_soft(class_id);

    if (!q->interest->class_all[class_id] && q->interest->refs.n < (q->same_run ? A_FEW : c->n)) {
        collect_named(q, class_id, soft);
        return;
    }
    /* The list is in the order of stamps: the first old one ends the walk. */
    for (struct list *l = c->changed.prev; l != &c->changed; l = l->prev) {
        const struct object *o = list_entry(l, struct object, change);

        if (interest_wants(q->interest, class_id, o->ref)) {
            if (!collect_object(q, o, soft))
                break;
        } else if (q->same_run && o->head->stamp <= q->since->stamp) {
            break;
        }
    }
}

static void collect_tombstones(const struct feed_query *q, enum class_id class_id)
{
    struct class_state *c = &q->store->classes[class_id];
    const struct token *since = q->since;

    if (q->same_run ? c->tombs_lost.stamp > since->stamp
                    : c->tombs_lost.generation > since->generation)
        q->out->lost = true;
    for (size_t i = c->tombs.n; i-- > 0;) {
        const struct tombstone *t = &c->tombs.v[(c->tomb_start + i) % c->tombs.n];
        bool before = q->same_run ? t->stamp <= since->stamp
                                  : t->generation && t->generation <= since->generation;
        bool never_seen = q->same_run ? t->created_stamp > since->stamp
                                      : !t->generation || t->created_gen > since->generation;

        if (q->same_run && before)
            break;
        if (before || never_seen || !interest_wants(q->interest, class_id, t->ref))
            continue;
        struct change d = {.op = CHANGE_DEL, .class_id = class_id, .stamp = t->stamp};

        memcpy(d.ref, t->ref, sizeof(d.ref));
        vec_add(&q->out->list, d);
    }
}

static bool is_told(const struct changes *c, enum class_id class_id, const char *ref)
{
    vec_foreach (it, &c->list)
        if (it->class_id == class_id && streq(it->ref, ref))
            return true;
    return false;
}

/* References do not say which class they were named for. */
static bool is_another_named(const struct interest *in, enum class_id class_id)
{
    for (int i = 1; i < CLASS_MAX; i++)
        if (i != (int)class_id && in->class_some[i])
            return true;
    return false;
}

static bool is_missing(const struct feed_query *q, enum class_id class_id, const char *ref)
{
    const struct object *o = object_find(q->store, class_id, ref);

    return !(o && o->head) && !is_told(q->out, class_id, ref);
}

static void add_ended(const struct feed_query *q, enum class_id class_id, const char *ref)
{
    struct change d = {.op = CHANGE_DEL, .class_id = class_id, .stamp = q->store->stamp};

    snprintf(d.ref, sizeof(d.ref), "%s", ref);
    vec_add(&q->out->list, d);
}

static void add_noted(void *ctx, enum class_id class_id, const char *ref)
{
    const struct feed_query *q = ctx;

    if (class_id != CLASS_NONE && interest_wants(q->interest, class_id, ref) &&
        is_missing(q, class_id, ref))
        add_ended(q, class_id, ref);
}

/* Nobody noted which rows there were. Who named some hears of those that are not there. */
static void guess_ended(const struct feed_query *q, enum class_id class_id)
{
    const struct interest *in = q->interest;

    if (in->class_all[class_id])
        q->out->lost = true;
    for (size_t i = 0; i < in->refs.n && !q->out->lost; i++) {
        if (!is_missing(q, class_id, in->refs.v[i]))
            continue;
        if (is_another_named(in, class_id))
            q->out->lost = true;
        else
            add_ended(q, class_id, in->refs.v[i]);
    }
}

/* After those of the database: of an earlier run, what it had in memory only. */
static void collect_ended(const struct feed_query *q)
{
    const struct interest *in = q->interest;

    if (soft_rows_know(q->store->soft_rows, q->since)) {
        soft_rows_each_gone(q->store->soft_rows, q->since, (void *)(uintptr_t)q, add_noted);
        return;
    }
    for (int i = 1; i < CLASS_MAX; i++)
        if ((in->class_all[i] || in->class_some[i]) && class_has_soft_rows(i))
            guess_ended(q, i);
}

static int by_stamp(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    return x->stamp < y->stamp ? -1 : x->stamp > y->stamp;
}

void store_changes(struct store *s, const struct interest *interest, const struct token *since,
                   struct changes *ret)
{
    struct feed_query q = {.store = s, .interest = interest, .since = since, .out = ret};

    *ret = (struct changes){0};
    pthread_mutex_lock(&s->lock);
    q.all = !since->epoch && !since->generation && !since->stamp;
    q.same_run = since->epoch == s->epoch;
    /* From the future (a restored database): only a fresh start helps. */
    if (since->generation > s->published_generation || (q.same_run && since->stamp > s->stamp))
        ret->lost = true;
    for (int i = 1; i < CLASS_MAX; i++) {
        if (!interest->class_all[i] && !interest->class_some[i])
            continue;
        ret->counts[i] = s->classes[i].n;
        collect_objects(&q, i);
        if (!q.all)
            collect_tombstones(&q, i);
    }
    if (!q.all && !q.same_run)
        collect_ended(&q);
    ret->now = now_locked(s);
    pthread_mutex_unlock(&s->lock);
    if (ret->list.n)
        qsort(ret->list.v, ret->list.n, sizeof(*ret->list.v), by_stamp);
}

void changes_fini(struct changes *c)
{
    vec_foreach (ch, &c->list)
        version_unref(ch->version);
    vec_fini(&c->list);
}

void feed_notify(struct store *s, const struct publication *p)
{
    for (struct watch *w = s->watches; w; w = w->next) {
        bool any = false;

        for (int i = 0; i < CLASS_MAX && !any; i++)
            any = p->classes[i] && w->classes[i];
        if (any)
            w->fn(w, p);
    }
}

void store_watch(struct store *s, struct watch *w)
{
    pthread_mutex_lock(&s->lock);
    w->next = s->watches;
    s->watches = w;
    pthread_mutex_unlock(&s->lock);
}

void store_unwatch(struct store *s, struct watch *w)
{
    pthread_mutex_lock(&s->lock);
    for (struct watch **at = &s->watches; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
}
