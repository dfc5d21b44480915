/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* C-list and C-param-list of every class. */
#include "cli/lists.h"

#include "cli/filter.h"

/* The class of "vm-list", "vm-param-get"...; *ret_verb: what follows its name. The longest name
 * counts: "host-cpu-list" is not of class host. */
const struct xe_class *class_of_command(const char *command, const struct xe_verb **ret_verb)
{
    const struct xe_class *best = NULL;

    for (int i = 0; i < xe_classes_n; i++) {
        const struct xe_class *c = &xe_classes[i];
        size_t n = strlen(c->name);

        if (!str_starts(command, c->name) || command[n] != '-')
            continue;
        for (int v = 0; v < xe_verbs_n; v++) {
            if (streq(command + n + 1, xe_verbs[v].name) && (c->verbs & 1u << v)) {
                best = c;
                *ret_verb = &xe_verbs[v];
            }
        }
    }
    return best;
}

static bool is_named(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, name, n) == 0 && (p[n] == ',' || !p[n]))
            return true;
    }
    return false;
}

static bool is_default(const struct xe_class *c, const char *name)
{
    for (int i = 0; i < c->n_columns; i++)
        if (streq(c->columns[i], name))
            return true;
    return c->n_columns == 0;
}

void columns_choose(const struct xe_class *c, const char *asked, struct columns *ret)
{
    for (int i = 0; i < c->n_fields; i++) {
        const struct xe_field *f = &c->fields[i];
        bool wanted = !asked                ? is_default(c, f->name)
                      : streq(asked, "all") ? true
                                            : is_named(asked, f->name);

        if (wanted && !(f->flags & XE_HIDDEN_FIELD))
            vec_add(ret, f);
    }
}

/* A column as --json shows it: numbers, truths, lists and maps as such. NULL = as its text. */
static struct error *typed_value(struct store *s, struct table *t, const struct row *r,
                                 const struct xe_field *f, const char *text, json_t **ret)
{
    _cleanup_(members_fini) struct members m = {0};
    bool map = field_is_map(f);
    char *end;

    *ret = NULL;
    if (f->style != XE_PLAIN && f->style != XE_COMMA)
        return NULL;
    if (map || field_is_set(f)) {
        TRY(field_members(s, t, r, f, &m));
        json_t *all = map ? json_object() : json_array();

        vec_foreach (member, &m) {
            if (map && member->key)
                json_object_set_new(all, member->key, json_string(member->text));
            else if (!map)
                json_array_append_new(all, json_string(member->text));
        }
        *ret = all;
    } else if (streq(f->type, "bool") && (streq(text, "true") || streq(text, "false"))) {
        *ret = json_boolean(*text == 't');
    } else if (streq(f->type, "int") && *text) {
        int64_t number = strtoll(text, &end, 10);

        *ret = *end ? NULL : json_integer(number);
    } else if (streq(f->type, "float") && *text) {
        double number = strtod(text, &end);

        *ret = *end ? NULL : json_real(number);
    }
    return NULL;
}

struct error *row_record(struct store *s, struct table *t, const struct row *r,
                         const struct columns *columns, bool cheap, struct record *ret)
{
    _cleanup_str_ struct str label = STR_INIT, text = STR_INIT;

    vec_foreach (column, columns) {
        const struct xe_field *f = *column;
        json_t *typed = NULL;

        str_clear(&label);
        str_clear(&text);
        field_label(f, &label);
        if (cheap && (f->flags & XE_EXPENSIVE))
            str_lit(&text, "<expensive field>");
        else
            TRY(field_text(s, t, r, f, &text));
        if (s->c->json && !(cheap && (f->flags & XE_EXPENSIVE)))
            TRY(typed_value(s, t, r, f, str_cstr(&text), &typed));
        record_add_typed(ret, label.s, str_cstr(&text), typed);
    }
    return NULL;
}

static struct error *show_rows(struct xe *x, struct store *s, const struct xe_class *c,
                               const struct filters *fs, const struct columns *columns)
{
    struct table *t = store_table(s, c->api);

    bool all;

    /* --all: templates and what filters leave out, too. */
    TRY(words_bool(&x->words, "all", false, &all));
    TRY(filters_check(fs));
    where_want(s, c);
    filters_want(s, c->api, fs);
    vec_foreach (f, columns)
        if (!((*f)->flags & XE_EXPENSIVE))
            field_want(s, c->api, *f);
    TRY(store_load(s));
    print_table(&x->printer);
    for (size_t i = 0; i < t->rows.n; i++) {
        _cleanup_(record_fini) struct record record = {0};
        bool match = all || where_match(t, t->rows.v[i], c);

        if (match && !all)
            TRY(filters_match(s, t, t->rows.v[i], fs, &match));
        if (!match)
            continue;
        TRY(row_record(s, t, t->rows.v[i], columns, true, &record));
        print_record(&x->printer, &record);
    }
    print_table_end(&x->printer);
    return NULL;
}

struct error *list_class(struct xe *x, const struct xe_class *c)
{
    static const char *const own[] = {"params", "database:", NULL};
    const char *const *const except[] = {own};
    struct columns columns = {0};
    struct filters fs = {0};
    struct store s;

    columns_choose(c, words_find(&x->words, "params"), &columns);
    filters_take(&fs, c, &x->words, except, 1);
    store_init(&s, &x->client);
    struct error *e = show_rows(x, &s, c, &fs, &columns);

    store_fini(&s);
    vec_fini(&fs);
    vec_fini(&columns);
    return e;
}

struct error *show_object(struct xe *x, struct store *s, const struct xe_class *c, const char *ref,
                          const struct columns *columns)
{
    _cleanup_(record_fini) struct record record = {0};
    struct table *t = store_table(s, c->api);
    const struct row *r;

    vec_foreach (f, columns)
        field_want(s, c->api, *f);
    TRY(table_load_one(s, t, ref, &r));
    TRY(row_record(s, t, r, columns, false, &record));
    print_one(&x->printer, &record);
    return NULL;
}

struct error *param_list(struct xe *x, const struct xe_class *c)
{
    _cleanup_free_ char *ref = NULL;
    struct columns columns = {0};
    struct store s;

    TRY(ref_of(&x->client, c->api, word_or(x, "uuid", ""), &ref));
    columns_choose(c, "all", &columns);
    store_init(&s, &x->client);
    struct error *e = show_object(x, &s, c, ref, &columns);

    store_fini(&s);
    vec_fini(&columns);
    return e;
}
