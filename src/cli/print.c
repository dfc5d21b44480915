/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/print.h"

#include "base/mem.h"
#include "base/utf8.h"

void record_fini(struct record *r)
{
    vec_foreach (c, r) {
        free(c->key);
        free(c->value);
        json_decref(c->typed);
    }
    vec_fini(r);
}

void record_add(struct record *r, const char *key, const char *value)
{
    record_add_typed(r, key, value, NULL);
}

void record_add_typed(struct record *r, const char *key, const char *value, json_t *typed)
{
    vec_add(r, (struct cell){xstrdup(key), xstrdup(value), typed});
}

void printer_fini(struct printer *p)
{
    vec_foreach (g, &p->groups)
        free(*g);
    vec_fini(&p->groups);
    str_fini(&p->group);
    str_fini(&p->out);
    json_decref(p->all);
}

static void add_escaped(struct str *out, const char *s)
{
    for (; *s; s++) {
        if (*s == ',' || *s == '\\')
            str_add_char(out, '\\');
        str_add_char(out, *s);
    }
}

static void pad(struct str *out, size_t n)
{
    static const char spaces[] = "                                ";

    for (; n >= sizeof(spaces) - 1; n -= sizeof(spaces) - 1)
        str_add_mem(out, spaces, sizeof(spaces) - 1);
    str_add_mem(out, spaces, n);
}

void print_table(struct printer *p)
{
    str_clear(&p->group);
    p->has_record = p->lacks_cells = false;
}

/* "uuid ( RO)", "bios-strings (MRO) [DEPRECATED]", "description     " are the names uuid... */
static size_t name_length(const char *key)
{
    const char *mark = strstr(key, " (");
    size_t n = mark && strlen(mark) >= 6 && mark[5] == ')' ? (size_t)(mark - key) : strlen(key);

    while (n && key[n - 1] == ' ')
        n--;
    return n;
}

/* States, at a terminal: what works is green, what is wrong red, what is between yellow. */
static const char *colour_of(const struct printer *p, const struct cell *c)
{
    static const char *const names[] = {"power-state", "status", "enabled", "currently-attached",
                                        "host-metrics-live"};
    static const struct {
        const char *value;
        const char *colour;
    } states[] = {{"running", "32"},   {"success", "32"},   {"true", "32"},
                  {"paused", "33"},    {"suspended", "33"}, {"pending", "33"},
                  {"cancelled", "33"}, {"false", "31"},     {"failure", "31"}};
    bool is_state = false;

    if (!p->front || !p->front->colours)
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(names) && !is_state; i++)
        is_state = strncmp(c->key, names[i], strlen(names[i])) == 0 &&
                   name_length(c->key) == strlen(names[i]);
    for (size_t i = 0; i < ARRAY_SIZE(states) && is_state; i++)
        if (streq(states[i].value, c->value))
            return states[i].colour;
    return NULL;
}

static void add_value(struct printer *p, const struct cell *c)
{
    const char *colour = colour_of(p, c);

    if (colour)
        str_printf(&p->out, "\033[%sm%s\033[0m", colour, c->value);
    else
        str_add(&p->out, c->value);
}

static void add_record(struct printer *p, const struct record *r)
{
    size_t width = 0;

    vec_foreach (c, r)
        width = MAX(width, strlen(c->key));
    width += 4;
    vec_foreach (c, r) {
        if (c == r->v) {
            str_add(&p->out, c->key);
            pad(&p->out, width - strlen(c->key));
        } else {
            pad(&p->out, width - strlen(c->key));
            str_add(&p->out, c->key);
        }
        str_lit(&p->out, ": ");
        add_value(p, c);
        str_lit(&p->out, "\n");
    }
    str_add(&p->out, r->n ? "\n\n" : "\n\n\n");
}

/* What is not UTF-8 is shown all the same. */
static json_t *text_json(const char *text)
{
    json_t *j = json_string(text);

    if (j)
        return j;
    _cleanup_free_ char *clean = xstrdup(text);

    utf8_clean(clean);
    return json_string(clean);
}

static void add_json(struct printer *p, json_t *item)
{
    if (!p->all)
        p->all = json_array();
    json_array_append_new(p->all, item);
}

static void add_json_record(struct printer *p, const struct record *r)
{
    json_t *object = json_object();

    vec_foreach (c, r)
        json_object_setn_new(object, c->key, name_length(c->key),
                             c->typed ? json_incref(c->typed) : text_json(c->value));
    add_json(p, object);
}

void print_record(struct printer *p, const struct record *r)
{
    if (p->json) {
        add_json_record(p, r);
        return;
    }
    if (!p->minimal) {
        add_record(p, r);
        return;
    }
    if (p->has_record)
        str_add_char(&p->group, ',');
    p->has_record = true;
    if (r->n)
        add_escaped(&p->group, r->v[0].value);
    else
        p->lacks_cells = true;
}

void print_table_end(struct printer *p)
{
    if (!p->json && p->minimal && p->has_record && !p->lacks_cells)
        vec_add(&p->groups, xstrdup(str_cstr(&p->group)));
}

void print_one(struct printer *p, const struct record *r)
{
    print_table(p);
    print_record(p, r);
    print_table_end(p);
}

void print_lines(struct printer *p, const char *const *lines, size_t n)
{
    _cleanup_str_ struct str all = STR_INIT;

    for (size_t i = 0; i < n; i++) {
        if (p->json) {
            add_json(p, text_json(lines[i]));
            continue;
        }
        if (!p->minimal) {
            str_printf(&p->out, "%s\n", lines[i]);
            continue;
        }
        if (i)
            str_add_char(&all, ',');
        add_escaped(&all, lines[i]);
    }
    if (p->minimal && !p->json)
        vec_add(&p->groups, str_take(&all));
}

void print_line(struct printer *p, const char *line)
{
    print_lines(p, &line, 1);
}

void print_sentence(struct printer *p, const char *fmt, ...)
{
    va_list ap;

    if (p->minimal && !p->json)
        return;
    _cleanup_str_ struct str text = STR_INIT;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    if (p->json)
        add_json(p, text_json(str_cstr(&text)));
    else
        str_printf(&p->out, "%s\n", str_cstr(&text));
}

void print_now(struct printer *p, const char *fmt, ...)
{
    va_list ap;

    _cleanup_str_ struct str text = STR_INIT;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    if (p->json) {
        front_tell(p->front, "%s\n", str_cstr(&text));
        return;
    }
    str_printf(&p->out, "%s\n", str_cstr(&text));
    /* A reader that is gone is noticed at the end. */
    IGNORE_ERROR(print_flush(p));
}

void print_end(struct printer *p)
{
    if (p->json) {
        _cleanup_free_ char *text = p->all ? json_dumps(p->all, JSON_COMPACT) : xstrdup("[]");

        str_printf(&p->out, "%s\n", text);
        return;
    }
    if (!p->minimal)
        return;
    for (size_t i = p->groups.n; i > 0; i--) {
        str_add(&p->out, p->groups.v[i - 1]);
        if (i > 1)
            str_add_char(&p->out, ',');
    }
    str_add_char(&p->out, '\n');
}

struct error *print_flush(struct printer *p)
{
    struct error *e = p->out.len ? p->front->ops->print(p->front, p->out.s, p->out.len) : NULL;

    str_clear(&p->out);
    return e;
}
