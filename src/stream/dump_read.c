/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/dump.h"

#include "base/map.h"
#include "gen/errors.h"
#include "model/stored_form.h"
#include "value/number.h"
#include "value/value.h"

#include <assert.h>
#include <expat.h>

/* Where the reader stands: what may open here. */
enum place { OUTSIDE, IN_DATABASE, IN_MANIFEST, IN_PAIR, IN_TABLE, IN_ROW, PLACE_MAX };

static const struct {
    enum place from;
    const char *name;
    enum place to;
} elements[] = {
    {OUTSIDE, "database", IN_DATABASE}, {IN_DATABASE, "manifest", IN_MANIFEST},
    {IN_MANIFEST, "pair", IN_PAIR},     {IN_DATABASE, "table", IN_TABLE},
    {IN_TABLE, "row", IN_ROW},
};

struct dump_reader {
    XML_Parser parser;
    struct arena *arena;
    const bool *wanted;
    struct dump *dump;
    int64_t left; /* bytes that may still come */
    enum place place;
    enum class_id table; /* CLASS_NONE = one that does not matter */
    size_t n_rows;       /* of it */
    bool has_major, has_minor;
    struct strmap refs; /* of all rows */
    struct error *error;
};

/* ---- errors ---- */

static void fail(struct dump_reader *r, const char *where, const char *fmt, ...) _printf_(3, 4);

static void fail(struct dump_reader *r, const char *where, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *what = xvasprintf(fmt, ap);

    va_end(ap);
    if (r->error)
        return;
    r->error = err_invalid_value(where, what);
    XML_StopParser(r->parser, XML_FALSE);
}

static void fail_here(struct dump_reader *r, const char *what)
{
    fail(r, "database", "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r->parser), what);
}

/* ---- elements ---- */

static const char *find(const char **attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (streq(attributes[0], name))
            return attributes[1];
    return NULL;
}

static void read_pair(struct dump_reader *r, const char **attributes)
{
    struct dump_manifest *m = &r->dump->manifest;
    const char *key = find(attributes, "key"), *value = find(attributes, "value");
    int64_t n = 0;

    if (!key || !value) {
        fail_here(r, "a pair without key or value");
        return;
    }
    bool major = streq(key, "schema_major_vsn"), minor = streq(key, "schema_minor_vsn"),
         generation = streq(key, "generation_count");

    if ((major || minor || generation) && !number_parse_int(value, &n)) {
        fail(r, key, "%.80s", value);
        return;
    }
    if (major)
        m->schema_major = n;
    if (minor)
        m->schema_minor = n;
    if (generation)
        m->generation = n;
    r->has_major |= major;
    r->has_minor |= minor;
}

static void begin_table(struct dump_reader *r, const char **attributes)
{
    const char *name = find(attributes, "name");

    if (!name) {
        fail_here(r, "a table without a name");
        return;
    }
    r->table = class_find(name);
    if (!r->wanted[r->table] || !classes[r->table].info)
        r->table = CLASS_NONE;
    r->n_rows = 0;
}

/* In place: it only gets shorter. "%_" is what old programs wrote for two spaces. */
static const char *unprotect(struct arena *a, const char *text)
{
    static const char from[] = ".tnr%", to[] = " \t\n\r%";
    char *out = arena_strdup(a, text), *w = out;

    for (const char *p = out; *p; p++) {
        const char *c = *p == '%' && p[1] ? strchr(from, p[1]) : NULL;

        if (c) {
            *w++ = to[c - from];
            p++;
        } else if (*p == '%' && p[1] == '_') {
            *w++ = ' ';
            *w++ = ' ';
            p++;
        } else {
            *w++ = *p;
        }
    }
    *w = 0;
    return out;
}

static bool is_read(const struct field *f)
{
    return !(f->flags & (FIELD_INVERSE | FIELD_DERIVED)) && !streq(f->name, "current_operations") &&
           !streq(f->name, "allowed_operations");
}

static void read_column(struct dump_reader *r, const struct struct_info *si, const char *column,
                        const char *value, const struct dump_row *row)
{
    int i = field_find_column(si, column);

    if (i < 0 || !is_read(&si->fields[i]))
        return;
    const struct field *f = &si->fields[i];
    struct error *e =
        stored_form_read(r->arena, f->type, unprotect(r->arena, value), field_at_mut(f, row->rec));

    if (!e)
        return;
    _cleanup_free_ char *where =
        xasprintf("%s of %s %.60s", f->column, classes[row->class_id].name, row->ref);

    fail(r, where, "%s", e->detail);
    error_free(e);
}

static void read_row(struct dump_reader *r, const char **attributes)
{
    const struct struct_info *si = classes[r->table].info;
    const char *ref = find(attributes, "ref");

    if (!ref || !*ref) {
        fail_here(r, "a row without a reference");
        return;
    }
    if (++r->n_rows > DUMP_ROWS_MAX || r->arena->used > DUMP_MEMORY_MAX) {
        fail(r, "database", "table %s is too large", classes[r->table].name);
        return;
    }
    struct dump_row row = {
        .class_id = r->table, .ref = unprotect(r->arena, ref), .rec = record_new(r->arena, si)};

    *(const char **)row.rec = row.ref;
    for (; *attributes && !r->error; attributes += 2)
        read_column(r, si, attributes[0], attributes[1], &row);
    if (strmap_set(&r->refs, row.ref, row.rec))
        fail(r, row.ref, "stands twice");
    vec_add(&r->dump->rows, row);
}

static void XMLCALL open_element(void *ctx, const char *name, const char **attributes)
{
    struct dump_reader *r = ctx;
    size_t i = 0;

    while (i < ARRAY_SIZE(elements) &&
           !(elements[i].from == r->place && streq(elements[i].name, name)))
        i++;
    if (i == ARRAY_SIZE(elements)) {
        fail(r, "database", "line %lu: an element %.40s where none belongs",
             (unsigned long)XML_GetCurrentLineNumber(r->parser), name);
        return;
    }
    r->place = elements[i].to;
    if (r->place == IN_PAIR)
        read_pair(r, attributes);
    else if (r->place == IN_TABLE)
        begin_table(r, attributes);
    else if (r->place == IN_ROW && r->table != CLASS_NONE)
        read_row(r, attributes);
}

static void XMLCALL close_element(void *ctx, const char *name)
{
    struct dump_reader *r = ctx;

    for (size_t i = 0; i < ARRAY_SIZE(elements); i++)
        if (elements[i].to == r->place) {
            r->place = elements[i].from;
            return;
        }
}

/* With it come entities, and with them texts that grow without end. */
static void XMLCALL refuse_doctype(void *ctx, const char *name, const char *system,
                                   const char *public, int internal)
{
    fail_here(ctx, "a document type is not accepted");
}

/* ---- */

struct dump_reader *dump_reader_new(struct arena *a, const bool wanted[CLASS_MAX], struct dump *ret)
{
    struct dump_reader *r = xnew(struct dump_reader);

    *ret = (struct dump){0};
    r->arena = a;
    r->wanted = wanted;
    r->dump = ret;
    r->left = DUMP_MAX;
    r->parser = XML_ParserCreate("UTF-8");
    assert(r->parser);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, open_element, close_element);
    XML_SetStartDoctypeDeclHandler(r->parser, refuse_doctype);
    return r;
}

void dump_reader_free(struct dump_reader *r)
{
    if (!r)
        return;
    XML_ParserFree(r->parser);
    strmap_fini(&r->refs);
    error_free(r->error);
    free(r);
}

void dump_fini(struct dump *d)
{
    vec_fini(&d->rows);
}

static struct error *parse(struct dump_reader *r, const char *text, size_t n, bool last)
{
    enum XML_Status status = XML_Parse(r->parser, text, (int)n, last);

    if (status != XML_STATUS_OK && !r->error)
        fail_here(r, XML_ErrorString(XML_GetErrorCode(r->parser)));
    return TAKE_PTR(r->error);
}

struct error *dump_reader_feed(struct dump_reader *r, const char *text, size_t n)
{
    r->left -= (int64_t)n;
    if (r->left < 0)
        return err_invalid_value("database", "larger than 256 MiB");
    for (size_t done = 0; done < n;) {
        size_t piece = MIN(n - done, (size_t)1 << 20);

        TRY(parse(r, text + done, piece, false));
        done += piece;
    }
    return NULL;
}

struct error *dump_reader_end(struct dump_reader *r)
{
    TRY(parse(r, "", 0, true));
    if (!r->has_major || !r->has_minor)
        return err_invalid_value("database", "the manifest names no version of the schema");
    return NULL;
}
