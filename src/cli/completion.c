/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/completion.h"

#include "base/mem.h"
#include "cli/filter.h"
#include "cli/help.h"
#include "cli/lists.h"

static const char bash[] =
    "# bash completion for xe, of `xe completion bash`\n"
    "_xe() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} words word given='' found IFS=$' \\t\\n'\n"
    "    read -ra words <<<\"$line\"\n"
    "    case $line in *' ') words+=('') ;; esac\n"
    "    word=${words[${#words[@]} - 1]}\n"
    "    # bash itself splits at '=' and ':'; what stands before them must not be given again.\n"
    "    case $word in *[=:]*) given=${word%\"${word##*[=:]}\"} ;; esac\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r found; do\n"
    "        case $found in\n"
    "        *[=:]) COMPREPLY+=(\"${found#\"$given\"}\") ;;\n"
    "        *) COMPREPLY+=(\"$(printf '%q' \"${found#\"$given\"}\") \") ;;\n"
    "        esac\n"
    "    done < <(xe completion candidates \"${words[@]:1}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _xe -o nospace -o default xe\n";

static const char zsh[] =
    "#compdef xe\n"
    "# zsh completion for xe, of `xe completion zsh`\n"
    "_xe() {\n"
    "    local found any=\n"
    "    while IFS= read -r found; do\n"
    "        any=1\n"
    "        case $found in\n"
    "        *[=:]) compadd -S '' -- \"$found\" ;;\n"
    "        *) compadd -- \"$found\" ;;\n"
    "        esac\n"
    "    done < <(xe completion candidates \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    [[ -n $any ]] || _files\n"
    "}\n"
    "# A file of fpath is the function's first call; one that is read defines it.\n"
    "if [[ $funcstack[1] == _xe ]]; then _xe \"$@\"; else compdef _xe xe; fi\n";

static const char fish[] = "# fish completion for xe, of `xe completion fish`\n"
                           "complete -c xe -a '(xe completion candidates (commandline -opc)[2..-1] "
                           "(commandline -ct) 2>/dev/null)'\n";

struct offer {
    struct xe *x;
    const char *typed; /* what every candidate begins with */
    const char *before;
};

static void offer(const struct offer *o, const char *word, const char *behind)
{
    _cleanup_free_ char *text = xasprintf("%s%s%s", o->before, word, behind);

    /* A line each: what has lines of its own cannot be offered. */
    if (*word && str_starts(text, o->typed) && !strpbrk(text, "\r\n"))
        print_line(&o->x->printer, text);
}

static void offer_name(void *ctx, const char *name)
{
    offer(ctx, name, "");
}

/* ---- parameters ---- */

/* "a, b, c" of the help: names are followed by '=', or are maps and have their ':' already. */
static void offer_parameters_of(const struct offer *o, const char *list)
{
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        _cleanup_free_ char *name = xmemdup0(p, n);

        if (streq(name, "<vm-selectors>"))
            offer(o, "vm", "=");
        else if (streq(name, "<host-selectors>"))
            offer(o, "host", "=");
        else if (streq(name, "<sr-selectors>"))
            offer(o, "sr", "=");
        if (*name == '<')
            offer(o, "uuid", "=");
        else
            offer(o, name, n && strchr(":-", name[n - 1]) ? "" : "=");
        p += n + strspn(p + n, ", ");
    }
}

/* What the help says of a command, as JSON; NULL if there is no such command. */
static json_t *ask_help(const char *command)
{
    struct xe x = {.printer.json = true};

    help_topic(&x, command);
    json_t *about = json_incref(json_array_get(x.printer.all, 0));

    printer_fini(&x.printer);
    if (json_is_object(about))
        return about;
    json_decref(about);
    return NULL;
}

static void offer_parameters(const struct offer *o, const char *command)
{
    _cleanup_json_ json_t *about = ask_help(command);

    offer_parameters_of(o, text_of(about, "reqd params"));
    offer_parameters_of(o, text_of(about, "optional params"));
}

/* ---- values ---- */

/* The class a name begins with that has a list; the longest counts. */
static const struct xe_class *class_before(const char *name)
{
    const struct xe_class *best = NULL;

    for (int i = 0; i < xe_classes_n; i++) {
        const struct xe_class *c = &xe_classes[i];
        size_t n = strlen(c->name);

        if (c->has_list && strncmp(name, c->name, n) == 0 && (name[n] == '-' || !name[n]) &&
            (!best || n > strlen(best->name)))
            best = c;
    }
    return best;
}

/* The server looks for what is typed of a uuid or name: of 10,000 objects some come, not all. NULL:
 * nothing is typed, or it cannot be said in the language of filters. */
static char *only_typed(const struct offer *o, const struct xe_field *f)
{
    const char *typed = o->typed + strlen(o->before);

    if (!*typed || strpbrk(typed, "\"\r\n") || f->source || f->steps->cls)
        return NULL;
    return xasprintf("field \"%s\" begins \"%s\"",
                     streq(f->steps->name, "name_label") ? "name__label" : f->steps->name, typed);
}

static struct error *offer_rows(const struct offer *o, struct store *s, const struct xe_class *c,
                                const struct xe_field *f)
{
    struct table *t = store_table(s, c->api);
    _cleanup_free_ char *only = only_typed(o, f);

    where_want(s, c);
    field_want(s, c->api, f);
    t->only = only;
    struct error *e = table_load(s, t);

    if (e && only) { /* another product's server */
        error_free(e);
        t->only = NULL;
        e = table_load(s, t);
    }
    TRY(e);
    for (size_t i = 0; i < t->rows.n; i++) {
        _cleanup_str_ struct str text = STR_INIT;

        if (!where_match(t, t->rows.v[i], c))
            continue;
        TRY(field_text(s, t, t->rows.v[i], f, &text));
        offer(o, str_cstr(&text), "");
    }
    return NULL;
}

static struct error *offer_column(const struct offer *o, const struct xe_class *c,
                                  const char *column)
{
    const struct xe_field *f = c ? xe_field_find(c, column) : NULL;
    struct store s;

    if (!f)
        return NULL;
    store_init(&s, &o->x->client);
    struct error *e = offer_rows(o, &s, c, f);

    store_fini(&s);
    return e;
}

static void offer_fields(const struct offer *o, const struct xe_class *c)
{
    for (int i = 0; c && i < c->n_fields; i++)
        if (!(c->fields[i].flags & XE_HIDDEN_FIELD))
            offer(o, c->fields[i].name, "");
}

static bool is_any(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (streq(word, *list))
            return true;
    return false;
}

static struct error *offer_values(const struct offer *o, const char *command, const char *parameter)
{
    static const char *const named[] = {"vm", "host", "sr", "template", NULL};
    static const char *const truths[] = {"force",    "live",     "paused",   "multiple", "shared",
                                         "sharable", "bootable", "progress", NULL};
    const struct xe_class *c = class_before(command);
    const char *dash = strstr(parameter, "-uuid");

    if (streq(parameter, "params"))
        offer(o, "all", "");
    if (streq(parameter, "params") || streq(parameter, "param-name"))
        offer_fields(o, c);
    else if (streq(parameter, "uuid"))
        return offer_column(o, c, "uuid");
    else if (dash)
        return offer_column(o, class_before(parameter), "uuid");
    else if (is_any(parameter, named))
        return offer_column(o, class_before(parameter), "name-label");
    else if (str_ends(parameter, "name-label"))
        return offer_column(o, *parameter == 'n' ? c : class_before(parameter), "name-label");
    else if (streq(parameter, "class"))
        for (int i = 0; i < xe_classes_n; i++)
            offer(o, xe_classes[i].has_list ? xe_classes[i].name : "", "");
    if (is_any(parameter, truths)) {
        offer(o, "true", "");
        offer(o, "false", "");
    }
    return NULL;
}

/* Behind "name=", and behind the last comma of a list. */
static struct error *candidates_value(struct offer *o, const char *command, const char *equals)
{
    _cleanup_free_ char *parameter = xmemdup0(o->typed, (size_t)(equals - o->typed));
    bool list = streq(parameter, "params") || str_ends(parameter, "-uuids");
    const char *comma = list ? strrchr(equals, ',') : NULL;
    const char *end = comma ? comma : equals;
    _cleanup_free_ char *before = xmemdup0(o->typed, (size_t)(end - o->typed) + 1);

    o->before = before;
    return offer_values(o, command, parameter);
}

static struct error *candidates(struct xe *x, char *const *words, size_t n)
{
    struct offer o = {.x = x, .typed = n ? words[n - 1] : "", .before = ""};
    size_t first = 0;

    while (first < n && words[first][0] == '-')
        first++;
    if (first + 1 >= n) {
        help_each_name(offer_name, &o);
        for (const char *const *name = xe_builtins; *name; name++)
            offer(&o, *name, "");
        return NULL;
    }
    const char *command = words[first], *equals = strchr(o.typed, '=');

    if (streq(command, "help")) {
        help_each_name(offer_name, &o);
        offer(&o, "topics", "");
        for (int i = 0; i < xe_topics_n; i++)
            offer(&o, xe_topics[i].name, "");
    } else if (streq(command, "completion"))
        for (int i = 0; i < 3; i++)
            offer(&o, (const char *const[]){"bash", "zsh", "fish"}[i], "");
    else if (equals)
        return candidates_value(&o, command, equals);
    else
        offer_parameters(&o, command);
    return NULL;
}

struct error *completion_run(struct xe *x, char *const *words, size_t n)
{
    static const struct {
        const char *name;
        const char *text;
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

    if (n && streq(words[0], "candidates"))
        return candidates(x, words + 1, n - 1);
    for (size_t i = 0; n == 1 && i < ARRAY_SIZE(shells); i++) {
        if (streq(words[0], shells[i].name)) {
            str_add(&x->printer.out, shells[i].text);
            return NULL;
        }
    }
    return fail_usage("Syntax error", "xe completion bash, zsh or fish");
}
