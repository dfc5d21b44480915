/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/batch.h"

#include "base/vec.h"
#include "value/xml.h"

#include <inttypes.h>

static const char *const op_names[] = {
    [CHANGE_ADD] = "add", [CHANGE_MOD] = "mod", [CHANGE_DEL] = "del"};

/* A member of a struct, up to its value / after it. */
static void member_begin(struct str *out, enum wire_form form, const char *name, bool first)
{
    if (form == FORM_XML) {
        str_lit(out, "<member><name>");
        str_add(out, name);
        str_lit(out, "</name>");
        return;
    }
    if (!first)
        str_add_char(out, ',');
    str_add_char(out, '"');
    str_add(out, name);
    str_lit(out, "\":");
}

static void member_end(struct str *out, enum wire_form form)
{
    if (form == FORM_XML)
        str_lit(out, "</member>");
}

static void add_member(struct str *out, enum wire_form form, const char *name, const char *text,
                       bool first)
{
    member_begin(out, form, name, first);
    if (form == FORM_XML) {
        str_lit(out, "<value>");
        xml_add_text(out, text);
        str_lit(out, "</value>");
    } else {
        json_add_string(out, text);
    }
    member_end(out, form);
}

static void struct_begin(struct str *out, enum wire_form form)
{
    str_add(out, form == FORM_XML ? "<value><struct>" : "{");
}

static void struct_end(struct str *out, enum wire_form form)
{
    str_add(out, form == FORM_XML ? "</struct></value>" : "}");
}

/* The text of an answer, and where in it the records of objects go. */
struct out {
    struct str text;
    enum wire_form form;
    struct VEC(struct hole) holes;
};

struct hole {
    size_t at;
    const struct fragment *record;
};

static void add_event(struct out *o, const struct change *c, const char *timestamp)
{
    struct str *out = &o->text;
    char id[24];

    snprintf(id, sizeof(id), "%" PRIu64, c->stamp);
    struct_begin(out, o->form);
    add_member(out, o->form, "id", id, true);
    add_member(out, o->form, "timestamp", timestamp, false);
    add_member(out, o->form, "class", classes[c->class_id].lower, false);
    add_member(out, o->form, "operation", op_names[c->op], false);
    add_member(out, o->form, "ref", c->ref, false);
    if (c->version) {
        member_begin(out, o->form, "snapshot", false);
        vec_add(&o->holes, (struct hole){out->len, version_form(c->version, o->form)});
        member_end(out, o->form);
    }
    struct_end(out, o->form);
}

/* One pass per place in the order; the list itself is in the order of stamps. */
static void add_events(struct out *o, const struct changes *c, const char *timestamp)
{
    bool first = true;

    str_add(&o->text, o->form == FORM_XML ? "<value><array><data>" : "[");
    for (int pass = -1; pass <= CHANGE_DEL; pass++) {
        vec_foreach (ch, &c->list) {
            bool message = ch->class_id == CLASS_MESSAGE;

            if (pass < 0 ? !message : message || (int)ch->op != pass)
                continue;
            if (o->form == FORM_JSON && !first)
                str_add_char(&o->text, ',');
            first = false;
            add_event(o, ch, timestamp);
        }
    }
    str_add(&o->text, o->form == FORM_XML ? "</data></array></value>" : "]");
}

static void add_count(struct str *out, enum wire_form form, size_t n)
{
    if (form == FORM_XML)
        str_printf(out, "<value><i4>%zu</i4></value>", n);
    else
        str_add_int(out, (long long)n);
}

static void add_counts(struct str *out, enum wire_form form, const struct changes *c,
                       const struct interest *i)
{
    bool first = true;

    struct_begin(out, form);
    for (int k = 1; k < CLASS_MAX; k++) {
        if (!i->class_all[k] && !i->class_some[k])
            continue;
        member_begin(out, form, classes[k].lower, first);
        add_count(out, form, c->counts[k]);
        member_end(out, form);
        first = false;
    }
    struct_end(out, form);
}

static void let_go(void *p)
{
    changes_fini(p);
}

/* The records stay where they are, for as long as the arena lives. */
static void cut(struct out *o, struct arena *a, struct changes *c, struct encoded *ret)
{
    struct iovec *v = arena_alloc(a, (2 * o->holes.n + 1) * sizeof(*v));
    size_t n = 0, at = 0;
    char *text = arena_memdup(a, o->text.s, o->text.len);

    vec_foreach (h, &o->holes) {
        v[n++] = (struct iovec){text + at, h->at - at};
        v[n++] = (struct iovec){(void *)(uintptr_t)h->record->text, h->record->len};
        at = h->at;
    }
    v[n++] = (struct iovec){text + at, o->text.len - at};
    arena_on_end(a, let_go, arena_memdup(a, c, sizeof(*c)));
    *c = (struct changes){0};
    *ret = (struct encoded){.v = v, .n = n};
    str_fini(&o->text);
    vec_fini(&o->holes);
}

void event_batch_encode(struct arena *a, enum wire_form form, struct changes *c,
                        const struct interest *i, struct encoded *ret)
{
    struct out o = {.form = form};
    char token[TOKEN_TEXT_MAX];

    struct_begin(&o.text, form);
    member_begin(&o.text, form, "events", true);
    add_events(&o, c, "0.0");
    member_end(&o.text, form);
    member_begin(&o.text, form, "valid_ref_counts", false);
    add_counts(&o.text, form, c, i);
    member_end(&o.text, form);
    token_print(&c->now, token);
    add_member(&o.text, form, "token", token, false);
    struct_end(&o.text, form);
    cut(&o, a, c, ret);
}

void event_list_encode(struct arena *a, enum wire_form form, struct changes *c, int64_t now_us,
                       struct encoded *ret)
{
    struct out o = {.form = form};
    char timestamp[32];

    snprintf(timestamp, sizeof(timestamp), "%" PRId64 ".%06d", now_us / 1000000,
             (int)(now_us % 1000000));
    add_events(&o, c, timestamp);
    cut(&o, a, c, ret);
}
