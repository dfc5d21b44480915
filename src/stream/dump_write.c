/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/dump.h"

#include "model/stored_form.h"
#include "value/value.h"
#include "value/xml.h"

/* XML does not keep white space in attributes as it is. */
static void add_protected(struct str *out, const char *text)
{
    static const char from[] = " \t\n\r%", to[] = ".tnr%";

    for (;;) {
        size_t n = strcspn(text, from);

        str_add_mem(out, text, n);
        text += n;
        if (!*text)
            return;
        str_add_char(out, '%');
        str_add_char(out, to[strchr(from, *text++) - from]);
    }
}

static void add_attribute(struct str *out, const char *name, const char *value)
{
    _cleanup_str_ struct str text = STR_INIT;

    add_protected(&text, value);
    str_printf(out, " %s=\"", name);
    xml_add_text(out, str_cstr(&text));
    str_add_char(out, '"');
}

static void add_pair(struct str *out, const char *key, int64_t value)
{
    str_printf(out, "<pair key=\"%s\" value=\"%lld\"/>", key, (long long)value);
}

void dump_begin(struct str *out, const struct dump_manifest *m)
{
    str_lit(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><database><manifest>");
    add_pair(out, "schema_major_vsn", m->schema_major);
    add_pair(out, "schema_minor_vsn", m->schema_minor);
    add_pair(out, "generation_count", m->generation);
    str_lit(out, "</manifest>");
}

void dump_table(struct str *out, enum class_id class_id)
{
    str_printf(out, "<table name=\"%s\">", classes[class_id].name);
}

void dump_row(struct str *out, enum class_id class_id, const char *ref, const void *rec,
              uint64_t created, uint64_t modified)
{
    const struct struct_info *si = classes[class_id].info;
    _cleanup_str_ struct str text = STR_INIT;

    str_lit(out, "<row");
    add_attribute(out, "ref", ref);
    str_printf(out, " __ctime=\"%llu\" __mtime=\"%llu\"", (unsigned long long)created,
               (unsigned long long)modified);
    add_attribute(out, "_ref", ref);
    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        if (f->flags & FIELD_INVERSE)
            continue;
        str_clear(&text);
        stored_form_add(&text, f->type, field_at(f, rec));
        add_attribute(out, f->column, str_cstr(&text));
    }
    str_lit(out, "/>");
}

void dump_table_end(struct str *out)
{
    str_lit(out, "</table>");
}

void dump_end(struct str *out)
{
    str_lit(out, "</database>");
}
