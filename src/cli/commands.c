/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the name of a command to what carries it out. */
#include "cli/commands.h"

#include "cli/help.h"
#include "cli/lists.h"
#include "cli/plain.h"
#include "cli/suggest.h"
#include "value/type.h"

#define MAX_FILE (32u << 20)

struct handler {
    const char *name;
    command_fn *run;
};

static const struct handler handlers[] = {
#define COMMAND(name, function) {name, function},
#include "cli/commands.inc"
#undef COMMAND
};

command_fn *command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
        if (streq(handlers[i].name, name))
            return handlers[i].run;
    return NULL;
}

static int by_name(const void *key, const void *command)
{
    return strcmp(key, ((const struct xe_command *)command)->name);
}

const struct xe_command *xe_command_find(const char *name)
{
    return bsearch(name, xe_commands, (size_t)xe_commands_n, sizeof(*xe_commands), by_name);
}

static struct error *need_words(const struct xe *x, const char *const *required)
{
    for (; *required; required++)
        if (!words_find(&x->words, *required))
            return fail_usage("Required parameter not found", *required);
    return NULL;
}

static struct error *run_class(struct xe *x, const struct xe_class *c, const struct xe_verb *verb)
{
    static const struct {
        const char *verb;
        struct error *(*run)(struct xe *x, const struct xe_class *c);
    } verbs[] = {
        {"list", list_class},         {"param-list", param_list}, {"param-get", param_get},
        {"param-set", param_set},     {"param-add", param_add},   {"param-remove", param_remove},
        {"param-clear", param_clear},
    };

    TRY(need_words(x, verb->required));
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (streq(verbs[i].verb, verb->name))
            return with_database(x, verbs[i].run, c);
    return fail_usage("Unknown command", verb->name);
}

struct error *command_run(struct xe *x, const char *name)
{
    const struct xe_class *c;
    const struct xe_verb *verb;

    if (streq(name, "help"))
        return help_run(x);
    x->command = xe_command_find(name);
    if (x->command) {
        command_fn *run = command_find(name);

        suggest_parameters(x);
        TRY(need_words(x, x->command->required));
        x->client.local = x->command->flags & XE_LOCAL;
        if (run)
            return run(x);
        if (x->command->call)
            return plain_run(x);
        return error_text("this xe does not know how to do %s", name);
    }
    c = class_of_command(name, &verb);
    return c ? run_class(x, c, verb) : suggest_command(x, name);
}

/* Arguments that many commands have. */

struct error *word_ref(struct xe *x, const char *key, const char *cls, char **ret)
{
    const char *uuid = words_find(&x->words, key);

    if (!uuid) {
        *ret = xstrdup(REF_NULL);
        return NULL;
    }
    return ref_of(&x->client, cls, uuid, ret);
}

json_t *word_map(const struct xe *x, const char *name)
{
    json_t *map = json_object();
    size_t n = strlen(name);
    /* "driver-params-" is a parameter whose name has the old separator. */
    _cleanup_free_ char *bare = xmemdup0(name, n && name[n - 1] == '-' ? n - 1 : n);

    vec_foreach (w, &x->words) {
        const char *key = word_map_key(w, bare);

        if (key)
            json_object_set_new(map, key, json_string(w->value));
    }
    return map;
}

json_t *word_list(const struct xe *x, const char *key)
{
    const char *text = word_or(x, key, "");
    json_t *list = json_array();

    /* "tags:red=" adds to a list too. */
    vec_foreach (w, &x->words) {
        const char *item = word_map_key(w, key);

        if (item)
            json_array_append_new(list, json_string(item));
    }

    for (const char *p = text; *text && p;) {
        const char *comma = strchr(p, ',');

        json_array_append_new(list, json_stringn(p, comma ? (size_t)(comma - p) : strlen(p)));
        p = comma ? comma + 1 : NULL;
    }
    return list;
}

struct error *name_of(struct xe *x, const char *cls, const char *ref, char **ret)
{
    _cleanup_free_ char *message = xasprintf("%s.get_record", cls);
    _cleanup_json_ json_t *record = NULL;

    TRY(call(&x->client, &record, message, "s", ref));
    *ret = xasprintf("%s (%s)", text_of(record, "uuid"), text_of(record, "name_label"));
    return NULL;
}

struct error *print_uuid(struct xe *x, const char *cls, const char *ref)
{
    _cleanup_free_ char *uuid = NULL;

    TRY(uuid_of(&x->client, cls, ref, &uuid));
    print_line(&x->printer, uuid);
    return NULL;
}

struct error *read_user_file(struct xe *x, const char *name, struct str *ret)
{
    struct front *f = x->client.front;

    return f->ops->read_file(f, name, MAX_FILE, ret);
}

struct error *ask(struct xe *x, bool *ret)
{
    _cleanup_str_ struct str text = STR_INIT;
    struct front *f = x->client.front;

    print_now(&x->printer, "Type 'yes' to continue");
    TRY(f->ops->read_line(f, &text));
    str_add_mem(&text, "", 0);
    char *line = text.s;

    line[strcspn(line, "\r\n")] = '\0';
    const char *start = line + strspn(line, " \t");
    size_t n = strcspn(start, " \t");

    *ret = n == 3 && strncasecmp(start, "yes", 3) == 0 && !start[n + strspn(start + n, " \t")];
    if (!*ret)
        print_now(&x->printer, "Aborted (you typed: '%s')", line);
    return NULL;
}

struct error *need_force(struct xe *x)
{
    bool force;

    TRY(words_bool(&x->words, "force", false, &force));
    if (!force)
        return error_text("This operation is dangerous and may cause data loss. This operation "
                          "must be forced (use --force).");
    return NULL;
}
