/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/batch.h"

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

static void add_event(struct str *out, enum wire_form form, const struct change *c,
                      const char *timestamp)
{
    char id[24];

    snprintf(id, sizeof(id), "%" PRIu64, c->stamp);
    struct_begin(out, form);
    add_member(out, form, "id", id, true);
    add_member(out, form, "timestamp", timestamp, false);
    add_member(out, form, "class", classes[c->class_id].lower, false);
    add_member(out, form, "operation", op_names[c->op], false);
    add_member(out, form, "ref", c->ref, false);
    if (c->version) {
        const struct fragment *f = version_form(c->version, form);

        member_begin(out, form, "snapshot", false);
        str_add_mem(out, f->text, f->len);
        member_end(out, form);
    }
    struct_end(out, form);
}

/* One pass per place in the order; the list itself is in the order of stamps. */
static void add_events(struct str *out, enum wire_form form, const struct changes *c,
                       const char *timestamp)
{
    bool first = true;

    str_add(out, form == FORM_XML ? "<value><array><data>" : "[");
    for (int pass = -1; pass <= CHANGE_DEL; pass++) {
        vec_foreach (ch, &c->list) {
            bool message = ch->class_id == CLASS_MESSAGE;

            if (pass < 0 ? !message : message || (int)ch->op != pass)
                continue;
            if (form == FORM_JSON && !first)
                str_add_char(out, ',');
            first = false;
            add_event(out, form, ch, timestamp);
        }
    }
    str_add(out, form == FORM_XML ? "</data></array></value>" : "]");
}

static void add_count(struct str *out, enum wire_form form, size_t n)
{
    if (form == FORM_XML)
        str_printf(out, "<value><i4>%zu</i4></value>", n);
    else
        str_printf(out, "%zu", n);
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

void event_batch_encode(struct str *out, enum wire_form form, const struct changes *c,
                        const struct interest *i)
{
    char token[TOKEN_TEXT_MAX];

    struct_begin(out, form);
    member_begin(out, form, "events", true);
    add_events(out, form, c, "0.0");
    member_end(out, form);
    member_begin(out, form, "valid_ref_counts", false);
    add_counts(out, form, c, i);
    member_end(out, form);
    token_print(&c->now, token);
    add_member(out, form, "token", token, false);
    struct_end(out, form);
}

void event_list_encode(struct str *out, enum wire_form form, const struct changes *c,
                       int64_t now_us)
{
    char timestamp[32];

    snprintf(timestamp, sizeof(timestamp), "%" PRId64 ".%06d", now_us / 1000000,
             (int)(now_us % 1000000));
    add_events(out, form, c, timestamp);
}
