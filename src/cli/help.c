/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/help.h"

#include "cli/field.h"
#include "cli/lists.h"
#include "cli/options.h"

#define LINE_WIDTH 74

struct names VEC(char *);

static void names_fini(struct names *n)
{
    vec_foreach (name, n)
        free(*name);
    vec_fini(n);
}

static bool can_set(const struct xe_field *f)
{
    bool members = field_is_map(f) || field_is_set(f);

    return f->set && (!members || (f->flags & XE_SETTABLE));
}

static bool can_set_key(const struct xe_field *f)
{
    return field_is_map(f) && (f->add || (f->kind == XE_MRO_SETTABLE && f->set));
}

static bool can_clear(const struct xe_field *f)
{
    return can_set(f) || field_is_map(f) || field_is_set(f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void all_names(bool standard_only, struct names *ret)
{
    for (int i = 0; i < xe_commands_n; i++)
        if (!(xe_commands[i].flags & XE_HIDDEN) &&
            (!standard_only || (xe_commands[i].flags & XE_STANDARD)))
            vec_add(ret, xstrdup(xe_commands[i].name));
    for (int i = 0; i < xe_classes_n; i++) {
        const char *name = xe_classes[i].name;

        if (standard_only) {
            if (streq(name, "vm") || streq(name, "network") || streq(name, "sr"))
                vec_add(ret, xasprintf("%s-list", name));
            continue;
        }
        for (int v = 0; v < xe_verbs_n; v++)
            if (xe_classes[i].verbs & 1u << v)
                vec_add(ret, xasprintf("%s-%s", name, xe_verbs[v].name));
    }
    qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
}

void help_each_name(void (*fn)(void *ctx, const char *name), void *ctx)
{
    _cleanup_(names_fini) struct names names = {0};

    all_names(false, &names);
    vec_foreach (name, &names)
        fn(ctx, *name);
}

/* Names in lines, those whose name begins with the prefix; NULL: those of neither of both. */
static void print_wrapped(struct xe *x, const struct names *names, const char *prefix)
{
    _cleanup_str_ struct str line = STR_INIT;

    vec_foreach (name, names) {
        bool mine = prefix ? str_starts(*name, prefix)
                           : !str_starts(*name, "host-") && !str_starts(*name, "vm-");

        if (!mine)
            continue;
        if (line.len + strlen(*name) > LINE_WIDTH) {
            print_line(&x->printer, line.s);
            str_clear(&line);
        }
        str_printf(&line, "%s%s", line.len ? ", " : "    ", *name);
    }
    if (line.len)
        print_line(&x->printer, line.s);
}

static void usage_text(struct str *out)
{
    str_printf(out,
               "Usage:\n  xe <command>\n%s\nTo get help on a specific command:\n"
               "  xe help <command>\n\nTo read about filters, files, consoles and more:\n"
               "  xe help topics\n\n",
               xe_options_usage);
}

void help_usage(FILE *f)
{
    fprintf(f, "Usage:\n  xe <command>\n%s\nxe help lists the commands.\n", xe_options_usage);
}

static struct error *list_commands(struct xe *x, bool all)
{
    _cleanup_(names_fini) struct names names = {0};
    _cleanup_str_ struct str head = STR_INIT;

    all_names(!all, &names);
    if (x->printer.minimal) {
        print_lines(&x->printer, (const char *const *)names.v, names.n);
        return NULL;
    }
    usage_text(&head);
    if (all)
        str_add(&head, "Full command list\n-----------------\n");
    else
        str_add(&head, "To get a full listing of commands:\n  xe help --all\n\n"
                       "Common command list\n-------------------\n");
    print_line(&x->printer, head.s);
    if (!all) {
        print_wrapped(x, &names, "");
        return NULL;
    }
    print_wrapped(x, &names, "host-");
    print_line(&x->printer, "    ");
    print_wrapped(x, &names, "vm-");
    print_line(&x->printer, "    ");
    print_wrapped(x, &names, NULL);
    return NULL;
}

static void add_name(struct str *out, const char *name, const char *suffix)
{
    str_printf(out, "%s%s%s", out->len ? ", " : "", name, suffix);
}

static void print_help(struct xe *x, const char *name, const char *required, const char *optional,
                       const char *doc)
{
    _cleanup_(record_fini) struct record r = {0};

    record_add(&r, "command name        ", name);
    record_add(&r, "reqd params     ", required);
    record_add(&r, "optional params ", optional);
    record_add(&r, "description     ", doc);
    print_one(&x->printer, &r);
}

static const char select_doc[] =
    " Any field of the %s picks them: uuid=..., or %s= with a name or uuid. If several match, "
    "--multiple is needed%s. 'xe %s-list params=all' shows the fields.";

static void help_command(struct xe *x, const struct xe_command *c)
{
    _cleanup_str_ struct str required = STR_INIT, optional = STR_INIT, doc = STR_INIT;
    uint32_t flag = c->flags & (XE_SELECT_VM | XE_SELECT_HOST | XE_SELECT_SR);
    const char *what = flag == XE_SELECT_VM ? "vm" : flag == XE_SELECT_HOST ? "host" : "sr";

    for (const char *const *p = c->required; *p; p++)
        add_name(&required, *p, "");
    for (const char *const *p = c->optional; *p; p++)
        add_name(&optional, *p, "");
    str_add(&doc, c->doc);
    if (flag) {
        str_printf(&optional, "%s<%s-selectors>", optional.len ? ", " : "", what);
        str_printf(&doc, select_doc,
                   flag == XE_SELECT_HOST ? "host"
                   : flag == XE_SELECT_SR ? "SR"
                                          : "VM",
                   what, c->flags & XE_ONLY_ONE ? ", and the command takes only one" : "", what);
    }
    print_help(x, c->name, str_cstr(&required), str_cstr(&optional), str_cstr(&doc));
}

static void add_fields(struct str *out, const struct xe_class *c,
                       bool (*can)(const struct xe_field *f), const char *suffix)
{
    for (int i = 0; i < c->n_fields; i++)
        if (!(c->fields[i].flags & XE_HIDDEN_FIELD) && (!can || can(&c->fields[i])))
            add_name(out, c->fields[i].name, suffix);
}

static void add_clearable(struct str *doc, const struct xe_class *c)
{
    const char *between = " param-name is one of ";

    for (int i = 0; i < c->n_fields; i++) {
        if ((c->fields[i].flags & XE_HIDDEN_FIELD) || !can_clear(&c->fields[i]))
            continue;
        str_printf(doc, "%s%s", between, c->fields[i].name);
        between = ",";
    }
}

static void help_class(struct xe *x, const struct xe_class *c, const struct xe_verb *verb,
                       const char *name)
{
    _cleanup_str_ struct str required = STR_INIT, optional = STR_INIT, doc = STR_INIT;

    for (const char *const *p = verb->required; *p; p++)
        add_name(&required, *p, "");
    for (const char *const *p = verb->optional; *p; p++)
        add_name(&optional, *p, "");
    str_add(&doc, verb->doc);
    if (streq(verb->name, "list")) {
        add_fields(&optional, c, NULL, "");
        add_fields(&optional, c, field_is_set, ":contains");
    } else if (streq(verb->name, "param-set")) {
        add_fields(&optional, c, can_set, "");
        add_fields(&optional, c, can_set_key, ":");
    } else if (streq(verb->name, "param-clear")) {
        add_clearable(&doc, c);
    }
    print_help(x, name, str_cstr(&required), str_cstr(&optional), doc.s);
}

static void list_topics(struct xe *x)
{
    for (int i = 0; i < xe_topics_n; i++) {
        _cleanup_free_ char *line = xasprintf("    %-12s  %s", xe_topics[i].name, xe_topics[i].doc);

        print_line(&x->printer, line);
    }
}

static const struct xe_topic *find_topic(const char *name)
{
    for (int i = 0; i < xe_topics_n; i++)
        if (streq(xe_topics[i].name, name))
            return &xe_topics[i];
    return NULL;
}

void help_topic(struct xe *x, const char *name)
{
    const struct xe_topic *topic = find_topic(name);
    const struct xe_command *command = xe_command_find(name);
    const struct xe_verb *verb = NULL;
    const struct xe_class *c = class_of_command(name, &verb);

    if (topic) {
        print_line(&x->printer, topic->text);
    } else if (streq(name, "topics")) {
        list_topics(x);
    } else if (command) {
        help_command(x, command);
    } else if (c) {
        help_class(x, c, verb, name);
    } else {
        _cleanup_free_ char *text = xasprintf("Unknown command '%s'", name);

        print_line(&x->printer, text);
    }
}

struct error *help_run(struct xe *x)
{
    bool any = false, all = false;

    TRY(words_bool(&x->words, "all", false, &all));
    vec_foreach (w, &x->words) {
        static const char *const others[] = {"server",  "username", "password", "port",
                                             "minimal", "all",      "json"};
        bool topic = true;

        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
            topic = topic && !streq(w->key, others[i]);
        if (topic)
            help_topic(x, w->key);
        any = any || topic;
    }
    return any ? NULL : list_commands(x, all);
}
