/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/listener.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/world.h"
#include "model/class.h"
#include "model/store.h"
#include "simulation/fail.h"
#include "simulation/history.h"
#include "simulation/programs.h"
#include "simulation/sched.h"

#define LATE_US (2 * SECOND_US) /* batches are held back for a tenth of a second at most */

struct listener {
    struct client client;
    const char *const *classes;
    bool wanted[CLASS_MAX];
    json_t *mirror;   /* reference -> record */
    json_t *class_of; /* reference -> class, in lower case */
    char token[TOKEN_TEXT_MAX];
    struct token at;
    struct published *published;
    unsigned long batches;
    int64_t asked_us;
    bool ending;
    struct fiber *fiber;
};

static void choose_classes(struct listener *l)
{
    for (size_t i = 0; l->classes[i]; i++) {
        for (int c = 1; c < CLASS_MAX; c++)
            l->wanted[c] |= classes[c].emits_events &&
                            (streq(l->classes[i], "*") || streq(l->classes[i], classes[c].lower));
    }
}

static void apply(struct listener *l, json_t *events)
{
    size_t i;
    json_t *e;

    json_array_foreach (events, i, e) {
        const char *ref = json_string_value(json_object_get(e, "ref"));
        const char *op = json_string_value(json_object_get(e, "operation"));

        if (streq(op, "del"))
            json_object_del(l->mirror, ref);
        else
            json_object_set(l->mirror, ref, json_object_get(e, "snapshot"));
        json_object_set(l->class_of, ref, json_object_get(e, "class"));
    }
}

static bool has_member(const json_t *set, const json_t *member)
{
    const json_t *it;
    size_t i;

    json_array_foreach (set, i, it)
        if (json_equal(it, member))
            return true;
    return false;
}

/* Sets have no order: who refers to an object is in the order of creation after a restart. */
static bool same_value(json_t *a, json_t *b)
{
    json_t *it;
    size_t i;

    if (json_equal(a, b))
        return true;
    if (!json_is_array(a) || !json_is_array(b) || json_array_size(a) != json_array_size(b))
        return false;
    json_array_foreach (a, i, it)
        if (!has_member(b, it))
            return false;
    return true;
}

static bool same_record(json_t *a, json_t *b)
{
    const char *name;
    json_t *value;

    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_foreach (a, name, value)
        if (!same_value(value, json_object_get(b, name)))
            return false;
    return true;
}

static void compare_one(struct listener *l, const char *ref)
{
    struct version *v = published_find(l->published, ref);
    json_t *mine = json_object_get(l->mirror, ref);

    if (v && !l->wanted[version_class(v)])
        return;
    if (!v != !mine)
        fail("listener %s %s %s, which %s at its token %s", l->client.name,
             mine ? "knows" : "does not know", ref, v ? "exists" : "does not exist", l->token);
    if (!v)
        return;
    const struct fragment *f = version_form(v, FORM_JSON);
    json_t *there = json_loadb(f->text, f->len, JSON_DECODE_ANY, NULL);

    if (!same_record(mine, there)) {
        char *a = json_dumps(mine, JSON_COMPACT | JSON_SORT_KEYS);
        char *b = json_dumps(there, JSON_COMPACT | JSON_SORT_KEYS);

        fail("listener %s has another %s %s at its token %s than was published:\n  %s\n  %s",
             l->client.name, classes[version_class(v)].name, ref, l->token, a, b);
    }
    json_decref(there);
}

/* What the answer says of how many there are, class by class. */
static void check_counts(struct listener *l, const json_t *counts)
{
    for (int i = 1; i < CLASS_MAX; i++) {
        bool one[CLASS_MAX] = {false};

        one[i] = l->wanted[i];
        size_t n = (size_t)json_integer_value(json_object_get(counts, classes[i].lower));

        if (n != published_count(l->published, one))
            fail("listener %s is told of %zu objects of %s, there are %zu", l->client.name, n,
                 classes[i].name, published_count(l->published, one));
    }
}

static void check_time(const struct listener *l)
{
    int64_t oldest = published_oldest(l->published, l->wanted);
    int64_t late = oldest == SCHED_NEVER ? 0 : sched_now_us() - MAX(oldest, l->asked_us);

    if (late > LATE_US)
        fail("listener %s hears of a change after %.3f s", l->client.name, (double)late / 1e6);
}

static void compare(struct listener *l, size_t n_events)
{
    const char *const *touched;
    size_t n;
    bool all;

    published_move(l->published, l->at.stamp, &touched, &n, &all);
    if (all) {
        touched = published_refs(l->published);
        for (n = 0; touched[n]; n++)
            ;
    }
    for (size_t i = 0; i < n; i++)
        compare_one(l, touched[i]);
    if (!all && n_events)
        check_time(l);
    if (json_object_size(l->mirror) == published_count(l->published, l->wanted))
        return;
    const char *ref;
    json_t *record;

    json_object_foreach (l->mirror, ref, record)
        compare_one(l, ref);
    for (touched = published_refs(l->published); *touched; touched++)
        compare_one(l, *touched);
    fail("listener %s knows %zu objects at its token, %zu were published", l->client.name,
         json_object_size(l->mirror), published_count(l->published, l->wanted));
}

static void take_batch(struct listener *l, json_t *batch)
{
    const char *token = json_string_value(json_object_get(batch, "token"));

    if (!token || !token_parse(token, &l->at))
        fail("event.from answered without a token");
    snprintf(l->token, sizeof(l->token), "%s", token);
    apply(l, json_object_get(batch, "events"));
    l->batches++;
    /* Told by a life of the daemon that is over: the next answer is compared as a whole. */
    if (l->at.epoch == published_epoch()) {
        compare(l, json_array_size(json_object_get(batch, "events")));
        check_counts(l, json_object_get(batch, "valid_ref_counts"));
    }
}

static json_t *wishes(const struct listener *l)
{
    json_t *all = json_array();

    for (size_t i = 0; l->classes[i]; i++)
        json_array_append_new(all, json_string(l->classes[i]));
    return all;
}

/*
 * Rows that are in memory only end with the daemon, and the next one cannot tell which there were:
 * who listens to such a class begins anew.
 */
static void begin_anew(struct listener *l)
{
    if (!l->wanted[CLASS_TASK] || !*l->token || l->at.epoch == published_epoch())
        fail("listener %s was told that events are lost, at token %s", l->client.name, l->token);
    json_object_clear(l->mirror);
    json_object_clear(l->class_of);
    *l->token = 0;
}

static void *listener_main(void *arg)
{
    struct listener *l = arg;

    while (!l->ending) {
        l->asked_us = sched_now_us();
        struct answer a =
            client_call(&l->client, "event.from", json_pack("[osf]", wishes(l), l->token, 10.0));

        if (a.fate == FATE_ANSWERED && a.result)
            take_batch(l, a.result);
        else if (streq(answer_code(&a), "EVENTS_LOST"))
            begin_anew(l);
        else if (a.fate == FATE_ANSWERED && !streq(answer_code(&a), "INTERNAL_ERROR"))
            fail("event.from failed: %s", answer_code(&a));
        else
            sched_sleep(10000); /* it ends, or came up again */
        answer_fini(&a);
        sched_wake_all(l);
    }
    return NULL;
}

struct listener *listener_start(const char *name, const char *const *classes_wanted)
{
    struct listener *l = xnew(struct listener);

    snprintf(l->client.name, sizeof(l->client.name), "%s", name);
    l->classes = classes_wanted;
    l->mirror = json_object();
    l->class_of = json_object();
    l->published = published_new();
    choose_classes(l);
    l->fiber = sched_spawn(GROUP_WORLD, name, listener_main, l);
    return l;
}

void listener_catch_up(struct listener *l)
{
    int64_t end = sched_now_us() + 600 * SECOND_US;

    for (;;) {
        const struct daemon *d = daemon_ready();
        struct token now = d ? store_now(d->store) : (struct token){0};

        if (d && l->at.epoch == now.epoch && l->at.stamp >= now.stamp)
            return;
        if (!sched_block(l, end, "a listener"))
            fail_stuck("listener %s does not hear of what was published", l->client.name);
    }
}

void listener_end(struct listener *l)
{
    l->ending = true;
    while (!sched_ended(l->fiber, NULL))
        sched_block(l->fiber, SCHED_NEVER, "a listener to end");
    json_decref(l->mirror);
    json_decref(l->class_of);
    published_free(l->published);
}

unsigned long listener_batches(const struct listener *l)
{
    return l->batches;
}

/* One class: every record of the API is in the mirror as it is there. Soft figures move while one
 * asks, so a difference counts only if it is still there when asked again. */
static const char *difference(struct listener *l, struct client *c, enum class_id class_id)
{
    char method[64];
    const char *ref, *found = NULL;
    json_t *record;

    snprintf(method, sizeof(method), "%s.get_all_records", classes[class_id].name);
    struct answer a = client_insist(c, method, json_array());

    json_object_foreach (a.result, ref, record)
        if (!found && !same_record(json_object_get(l->mirror, ref), record))
            found = xstrdup(ref);
    answer_fini(&a);
    return found;
}

void listener_check(struct listener *l, struct client *c)
{
    for (int i = 1; i < CLASS_MAX; i++) {
        const char *found = NULL;

        if (!l->wanted[i] || !classes[i].in_database || !classes[i].has_get_all)
            continue;
        for (int tries = 0; tries < 5; tries++) {
            listener_catch_up(l);
            found = difference(l, c, i);
            if (!found)
                break;
        }
        if (found)
            fail("listener %s has another %s %s than get_all_records", l->client.name,
                 classes[i].name, found);
    }
}
