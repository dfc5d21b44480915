/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The soft half of a store as JSON, for the program that takes over. Numbers are decimal, the epoch
 * is text because JSON's integers are signed.
 *
 *   epoch, stamp, generation
 *   objects      [class, reference, stamp, created, fields?]   fields: what is not in the database
 *   soft         the same for rows that are not in the database, with all fields
 *   tombstones   [class, reference, stamp, created, generation, created generation], oldest first
 *   lost         {class: [stamp, generation]}: deletions up to there are forgotten
 */
#include "model/soft.h"

#include "model/soft_rows.h"
#include "model/store_priv.h"
#include "value/json.h"

#include <inttypes.h>

static void add_object(struct str *out, const struct object *o, uint32_t with)
{
    const struct struct_info *si = classes[o->class_id].info;
    _cleanup_str_ struct str fields = STR_INIT;

    str_printf(out, "%s[\"%s\",\"%s\",%" PRIu64 ",%" PRIu64, out->s[out->len - 1] == '[' ? "" : ",",
               classes[o->class_id].name, o->ref, o->head->stamp, o->created_stamp);
    json_add_filled(&fields, si, o->head->rec, with);
    if (!streq(str_cstr(&fields), "{}")) {
        str_add_char(out, ',');
        str_add_mem(out, fields.s, fields.len);
    }
    str_add_char(out, ']');
}

static void add_objects(struct store *s, struct str *out, bool soft)
{
    struct object *o;

    for (int i = 1; i < CLASS_MAX; i++)
        list_foreach (o, &s->classes[i].all, all)
            if (o->soft == soft)
                add_object(out, o, FIELD_SOFT | (soft ? (uint32_t)FIELD_STORED : 0));
}

static void add_tombstones(struct store *s, struct str *out)
{
    for (int i = 1; i < CLASS_MAX; i++) {
        const struct class_state *c = &s->classes[i];

        for (size_t k = 0; k < c->tombs.n; k++) {
            const struct tombstone *t = &c->tombs.v[(c->tomb_start + k) % c->tombs.n];

            str_printf(out, "%s[\"%s\",\"%s\",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]",
                       out->s[out->len - 1] == '[' ? "" : ",", classes[i].name, t->ref, t->stamp,
                       t->created_stamp, t->generation, t->created_gen);
        }
    }
}

static void add_lost(struct store *s, struct str *out)
{
    for (int i = 1; i < CLASS_MAX; i++) {
        const struct token *lost = &s->classes[i].tombs_lost;

        if (lost->stamp || lost->generation)
            str_printf(out, "%s\"%s\":[%" PRIu64 ",%" PRIu64 "]",
                       out->s[out->len - 1] == '{' ? "" : ",", classes[i].name, lost->stamp,
                       lost->generation);
    }
}

void store_write_soft(struct store *s, struct str *out)
{
    pthread_mutex_lock(&s->lock);
    assert(list_empty(&s->queue));
    str_printf(out, "{\"epoch\":\"%016" PRIx64 "\",\"stamp\":%" PRIu64 ",\"generation\":%" PRIu64,
               s->epoch, s->stamp, s->published_generation);
    str_lit(out, ",\"objects\":[");
    add_objects(s, out, false);
    str_lit(out, "],\"soft\":[");
    add_objects(s, out, true);
    str_lit(out, "],\"tombstones\":[");
    add_tombstones(s, out);
    str_lit(out, "],\"lost\":{");
    add_lost(s, out);
    str_lit(out, "}}");
    soft_rows_close(TAKE_PTR(s->soft_rows)); /* the next program notes what becomes of them */
    pthread_mutex_unlock(&s->lock);
}

/* Reading. */

static uint64_t number(const json_t *array, size_t i)
{
    return (uint64_t)json_integer_value(json_array_get(array, i));
}

static const char *text(const json_t *array, size_t i)
{
    const char *s = json_string_value(json_array_get(array, i));

    return s ? s : "";
}

struct error *soft_read_object(const json_t *j, struct soft_object *ret)
{
    struct soft_object o = {
        .class_id = class_find(text(j, 0)),
        .ref = text(j, 1),
        .stamp = number(j, 2),
        .created_stamp = number(j, 3),
        .fields = json_array_get(j, 4),
    };

    if (o.class_id == CLASS_NONE || !*o.ref || !o.stamp)
        return error_text("an object was handed over that is none");
    *ret = o;
    return NULL;
}

void soft_read_head(struct store *s, const json_t *soft)
{
    const char *epoch = json_string_value(json_object_get(soft, "epoch"));

    if (epoch)
        s->epoch = strtoull(epoch, NULL, 16);
    s->stamp = (uint64_t)json_integer_value(json_object_get(soft, "stamp"));
}

void soft_read_tombstones(struct store *s, const json_t *soft)
{
    const char *name;
    json_t *j;
    size_t i;

    json_array_foreach (json_object_get(soft, "tombstones"), i, j) {
        struct tombstone t = {
            .class_id = (uint16_t)class_find(text(j, 0)),
            .stamp = number(j, 2),
            .created_stamp = number(j, 3),
            .generation = number(j, 4),
            .created_gen = number(j, 5),
        };

        if (t.class_id == CLASS_NONE)
            continue;
        snprintf(t.ref, sizeof(t.ref), "%s", text(j, 1));
        feed_tombstone(s, &t);
    }
    json_object_foreach (json_object_get(soft, "lost"), name, j) {
        enum class_id class_id = class_find(name);

        if (class_id != CLASS_NONE)
            s->classes[class_id].tombs_lost =
                (struct token){.stamp = number(j, 0), .generation = number(j, 1)};
    }
}
