/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table of counted entries. Everything that changes after creation is atomic or locked. */
#include "auth/sessions.h"

#include "base/map.h"
#include "base/world.h"

#include <pthread.h>

#define BATCH_INTERVAL_US 50000
#define BATCH_BURST_US    100000 /* how far a listener may run ahead of the interval */
#define BATCH_GRID_US     2000
#define PACES             32    /* kinds of listeners of one session that do not slow each other */
#define BATCH_PHASE_US    30902 /* the interval by the golden ratio: sessions spread evenly */

struct entry {
    struct session pub; /* first */
    atomic_uint refs;
    atomic_uint calls;           /* under way */
    _Atomic int64_t last_active; /* microseconds since 1970: a second sees thousands of logins */
    _Atomic int64_t pace[PACES]; /* mono_us at which the sent batches are worked off, by key */
    int64_t phase;               /* of its batches */
    int64_t reviewed;            /* its second as last reported; table lock */
    struct registration reg;     /* table lock */
};

struct sessions {
    pthread_mutex_t lock;
    struct strmap by_ref;
    int64_t login_delay_us;
    uint64_t logins;
};

static struct entry *entry_of(const struct session *s)
{
    return container_of((struct session *)(uintptr_t)s, struct entry, pub);
}

struct sessions *sessions_new(int64_t login_delay_us)
{
    struct sessions *s = xnew(struct sessions);

    pthread_mutex_init(&s->lock, NULL);
    s->login_delay_us = login_delay_us;
    return s;
}

void session_unref(struct session *session)
{
    struct entry *e = entry_of(session);

    if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1)
        free(e);
}

void sessions_free(struct sessions *s)
{
    if (!s)
        return;
    size_t pos = 0;
    struct entry *e;

    while ((e = strmap_next(&s->by_ref, &pos, NULL)))
        session_unref(&e->pub);
    strmap_fini(&s->by_ref);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int64_t sessions_login_delay(const struct sessions *s)
{
    return s->login_delay_us;
}

struct session *sessions_find(struct sessions *s, const char *ref)
{
    pthread_mutex_lock(&s->lock);
    struct entry *e = strmap_find(&s->by_ref, ref);

    if (e)
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&s->lock);
    if (!e)
        return NULL;
    atomic_store_explicit(&e->last_active, now_us(), memory_order_relaxed);
    return &e->pub;
}

uint32_t sessions_roles(struct sessions *s, const char *ref)
{
    pthread_mutex_lock(&s->lock);
    const struct entry *e = strmap_find(&s->by_ref, ref);
    const uint32_t roles = e ? e->pub.roles : 0;

    pthread_mutex_unlock(&s->lock);
    return roles;
}

/* The entry and its texts are one block. */
static struct entry *entry_new(const struct session *seed)
{
    size_t ref = strlen(seed->ref) + 1;
    size_t user = strnlen(seed->user, SESSION_TEXT_MAX);
    size_t originator = strnlen(seed->originator, SESSION_TEXT_MAX);
    struct entry *e = xcalloc(1, sizeof(*e) + ref + user + originator + 2);
    char *at = (char *)(e + 1);

    e->pub = *seed;
    e->pub.ref = memcpy(at, seed->ref, ref);
    e->pub.user = memcpy(at + ref, seed->user, user);
    e->pub.originator = memcpy(at + ref + user + 1, seed->originator, originator);
    atomic_init(&e->refs, 1);
    atomic_init(&e->last_active, now_us());
    return e;
}

bool session_enter(struct session *session)
{
    struct entry *e = entry_of(session);

    if (atomic_fetch_add_explicit(&e->calls, 1, memory_order_relaxed) < SESSION_CALLS_MAX)
        return true;
    atomic_fetch_sub_explicit(&e->calls, 1, memory_order_relaxed);
    return false;
}

void session_leave(struct session *session)
{
    atomic_fetch_sub_explicit(&entry_of(session)->calls, 1, memory_order_relaxed);
}

struct oldest {
    struct entry *e;
    size_t n;
};

static void note_oldest(struct oldest *o, struct entry *e)
{
    o->n++;
    if (!o->e || e->last_active < o->e->last_active)
        o->e = e;
}

/* Lock held. The least recently used session of whoever has too many. */
static struct entry *find_surplus(const struct sessions *s, const struct session *coming)
{
    struct oldest originator = {0}, user = {0}, all = {0};
    struct entry *e;
    size_t pos = 0;

    while ((e = strmap_next(&s->by_ref, &pos, NULL))) {
        if (streq(e->pub.originator, coming->originator))
            note_oldest(&originator, e);
        if (streq(e->pub.user, coming->user))
            note_oldest(&user, e);
        note_oldest(&all, e);
    }
    return originator.n >= SESSIONS_PER_ORIGINATOR ? originator.e
           : user.n >= SESSIONS_PER_USER           ? user.e
           : all.n >= SESSIONS_MAX                 ? all.e
                                                   : NULL;
}

void sessions_add(struct sessions *s, const struct session *seed, struct arena *a,
                  const char **ret_evicted)
{
    struct entry *e = entry_new(seed);

    *ret_evicted = NULL;
    pthread_mutex_lock(&s->lock);
    /* Counting is linear: only worth it when a limit is within reach. */
    struct entry *surplus =
        s->by_ref.n >= SESSIONS_PER_ORIGINATOR ? find_surplus(s, &e->pub) : NULL;

    if (surplus)
        strmap_remove(&s->by_ref, surplus->pub.ref);
    e->phase = (int64_t)(s->logins++ * BATCH_PHASE_US % BATCH_INTERVAL_US);
    strmap_set(&s->by_ref, e->pub.ref, e);
    pthread_mutex_unlock(&s->lock);
    if (surplus) {
        *ret_evicted = arena_strdup(a, surplus->pub.ref);
        session_unref(&surplus->pub);
    }
}

bool sessions_remove(struct sessions *s, const char *ref)
{
    pthread_mutex_lock(&s->lock);
    struct entry *e = strmap_remove(&s->by_ref, ref);

    pthread_mutex_unlock(&s->lock);
    if (!e)
        return false;
    session_unref(&e->pub);
    return true;
}

size_t sessions_review(struct sessions *s, struct arena *a, struct session_use **ret)
{
    int64_t oldest = now_s() - SESSION_IDLE_S;
    size_t pos = 0, n = 0;
    struct entry *e;

    pthread_mutex_lock(&s->lock);
    struct session_use *list = arena_array(a, struct session_use, s->by_ref.n);

    while ((e = strmap_next(&s->by_ref, &pos, NULL))) {
        int64_t used = atomic_load_explicit(&e->last_active, memory_order_relaxed) / 1000000;
        bool expired = used < oldest;

        if (used == e->reviewed && !expired)
            continue;
        e->reviewed = used;
        list[n++] = (struct session_use){arena_strdup(a, e->pub.ref), used, expired};
        if (expired) {
            strmap_remove(&s->by_ref, e->pub.ref);
            session_unref(&e->pub);
        }
    }
    pthread_mutex_unlock(&s->lock);
    *ret = list;
    return n;
}

static json_t *write_registration(const struct registration *reg)
{
    char token[TOKEN_TEXT_MAX];
    json_t *names = json_array();

    for (int i = 1; i < CLASS_MAX; i++)
        if (reg->classes[i])
            json_array_append_new(names, json_string(classes[i].name));
    token_print(&reg->token, token);
    return json_pack("{soss}", "classes", names, "token", token);
}

json_t *sessions_write(struct sessions *s)
{
    json_t *list = json_array();
    size_t pos = 0;
    struct entry *e;

    pthread_mutex_lock(&s->lock);
    while ((e = strmap_next(&s->by_ref, &pos, NULL))) {
        json_t *j = json_pack("{s:s, s:s, s:s, s:I, s:b, s:b, s:b, s:I}", "ref", e->pub.ref, "user",
                              e->pub.user, "originator", e->pub.originator, "roles",
                              (json_int_t)e->pub.roles, "superuser", e->pub.superuser, "local",
                              e->pub.local, "internal", e->pub.internal, "used_us",
                              (json_int_t)atomic_load(&e->last_active));

        if (j && e->reg.any)
            json_object_set_new(j, "events", write_registration(&e->reg));
        if (j) /* else a name that is no UTF-8 */
            json_array_append_new(list, j);
    }
    pthread_mutex_unlock(&s->lock);
    return list;
}

static void read_registration(const json_t *j, struct registration *ret)
{
    const char *token = json_string_value(json_object_get(j, "token"));
    json_t *name;
    size_t i;

    if (!token || !token_parse(token, &ret->token))
        return;
    json_array_foreach (json_object_get(j, "classes"), i, name) {
        enum class_id class_id =
            json_is_string(name) ? class_find(json_string_value(name)) : CLASS_NONE;

        if (class_id == CLASS_NONE)
            continue;
        ret->classes[class_id] = ret->any = true;
    }
}

void sessions_read(struct sessions *s, const json_t *list)
{
    json_t *j;
    size_t i;

    json_array_foreach (list, i, j) {
        struct session seed = {
            .ref = json_string_value(json_object_get(j, "ref")),
            .user = json_string_value(json_object_get(j, "user")),
            .originator = json_string_value(json_object_get(j, "originator")),
            .roles = (uint32_t)json_integer_value(json_object_get(j, "roles")),
            .superuser = json_is_true(json_object_get(j, "superuser")),
            .local = json_is_true(json_object_get(j, "local")),
            .internal = json_is_true(json_object_get(j, "internal")),
        };

        if (!seed.ref || !seed.user || !seed.originator)
            continue;
        struct entry *e = entry_new(&seed);

        if (json_is_integer(json_object_get(j, "used_us")))
            atomic_store(&e->last_active, json_integer_value(json_object_get(j, "used_us")));
        read_registration(json_object_get(j, "events"), &e->reg);
        pthread_mutex_lock(&s->lock);
        strmap_set(&s->by_ref, e->pub.ref, e);
        pthread_mutex_unlock(&s->lock);
    }
}

size_t sessions_count(struct sessions *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->by_ref.n;

    pthread_mutex_unlock(&s->lock);
    return n;
}

int64_t session_next_batch(const struct session *session, uint64_t key)
{
    int64_t next =
        atomic_load_explicit(&entry_of(session)->pace[key % PACES], memory_order_relaxed) -
        BATCH_BURST_US;

    /* On a common grid: some listeners at a time are one wake-up of the threads that serve them. */
    return (next + BATCH_GRID_US - 1) / BATCH_GRID_US * BATCH_GRID_US;
}

void session_paced(struct session *session, uint64_t key, int64_t now)
{
    struct entry *e = entry_of(session);
    _Atomic int64_t *at = &e->pace[key % PACES];
    int64_t pace = atomic_load_explicit(at, memory_order_relaxed);

    /* A flood reaches all listeners at once. They must not be served in one heap ever after. */
    if (pace < now)
        pace = now + (e->phase + (int64_t)(key % PACES) * BATCH_PHASE_US) % BATCH_INTERVAL_US;
    atomic_store_explicit(at, pace + BATCH_INTERVAL_US, memory_order_relaxed);
}

struct registration session_registration(struct sessions *s, const struct session *session)
{
    pthread_mutex_lock(&s->lock);
    struct registration reg = entry_of(session)->reg;

    pthread_mutex_unlock(&s->lock);
    return reg;
}

void session_register(struct sessions *s, struct session *session, const bool of[CLASS_MAX],
                      bool add, struct token now)
{
    struct registration *reg = &entry_of(session)->reg;

    pthread_mutex_lock(&s->lock);
    if (add && !reg->any)
        reg->token = now;
    reg->any = false;
    for (int i = 0; i < CLASS_MAX; i++) {
        if (of[i])
            reg->classes[i] = add;
        reg->any |= reg->classes[i];
    }
    pthread_mutex_unlock(&s->lock);
}

void session_set_token(struct sessions *s, struct session *session, struct token reached)
{
    pthread_mutex_lock(&s->lock);
    entry_of(session)->reg.token = reached;
    pthread_mutex_unlock(&s->lock);
}
