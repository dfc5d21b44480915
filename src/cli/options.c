/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/options.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/words.h"

#include <errno.h>
#include <sys/stat.h>

#define MAX_FILE 65536

void options_fini(struct options *o)
{
    free(o->server);
    free(o->user);
    free(o->password);
    free(o->socket);
    free(o->known.path);
    free(o->typed_options);
    free(o->traceparent);
    free(o->baggage);
    vec_foreach (arg, &o->args)
        free(*arg);
    vec_fini(&o->args);
}

static void replace(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

/* For a header: what would be more than one line is left out. */
static void set_line(char **field, const char *value)
{
    if (value && *value && !strpbrk(value, "\r\n"))
        replace(field, value);
}

static struct error *set_port(struct options *o, const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    if (end == text || *end || port < 0 || port > 65535)
        return error_text("Port number must be an integer (0-65535)");
    o->port = (uint16_t)port;
    return NULL;
}

/* Account in the first line, password in the second. */
static struct error *read_password_file(struct options *o, const char *path)
{
    _cleanup_str_ struct str text = STR_INIT;
    struct error *e = io_read_file(path, MAX_FILE, &text);

    if (e) {
        error_free(e);
        return error_text("Error opening password file '%s'", path);
    }
    char *second = strchr(str_cstr(&text), '\n');

    if (!second)
        return error_text("password file format: expecting username on the first line, password "
                          "on the second line");
    *second++ = '\0';
    second[strcspn(second, "\n")] = '\0';
    replace(&o->user, text.s);
    replace(&o->password, second);
    return NULL;
}

/* *ret: was the key one of ours? */
static struct error *set(struct options *o, const char *key, const char *value, bool *ret)
{
    bool on;

    *ret = true;
    if (streq(key, "server"))
        replace(&o->server, value);
    else if (streq(key, "port"))
        return set_port(o, value);
    else if (streq(key, "username"))
        replace(&o->user, value);
    else if (streq(key, "password"))
        replace(&o->password, value);
    else if (streq(key, "passwordfile"))
        return read_password_file(o, value);
    else if (streq(key, "nossl") || streq(key, "debug") || streq(key, "newcertificate")) {
        TRY(bool_parse(key, value, &on));
        if (streq(key, "debug"))
            o->debug = on;
        else if (streq(key, "newcertificate"))
            o->known.renew = on;
        else
            o->tls = !on;
    } else if (streq(key, "traceparent")) {
        set_line(&o->traceparent, value);
    } else if (!streq(key, "debugonfail")) {
        *ret = false;
    }
    return NULL;
}

static struct error *set_pair(struct options *o, const char *pair, bool *ret)
{
    const char *equals = strchr(pair, '=');

    *ret = false;
    if (!equals)
        return NULL;
    _cleanup_free_ char *key = xmemdup0(pair, (size_t)(equals - pair));

    return set(o, key, equals + 1, ret);
}

/* The key a switch stands for; *ret_has_value: the next argument is its value. */
static const char *switch_key(const char *arg, bool *ret_has_value)
{
    static const struct {
        const char *name;
        const char *key;
        bool has_value;
    } switches[] = {
        {"-s", "server", true},
        {"-h", "server", true},
        {"-p", "port", true},
        {"-u", "username", true},
        {"-pw", "password", true},
        {"-pwf", "passwordfile", true},
        {"--nossl", "nossl", false},
        {"--new-certificate", "newcertificate", false},
        {"--debug", "debug", false},
        {"--debug-on-fail", "debugonfail", false},
        {"--traceparent", "traceparent", true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        if (streq(switches[i].name, arg)) {
            *ret_has_value = switches[i].has_value;
            return switches[i].key;
        }
    }
    return NULL;
}

/* Of a switch with a value, or of "key=value" with value NULL. */
static void note_typed(struct str *out, const char *word, const char *value)
{
    bool secret = streq(word, "-pw") || str_starts(word, "password=");

    str_add_char(out, ' ');
    shell_add(out, secret ? "-pw" : word);
    if (value || secret) {
        str_add_char(out, ' ');
        shell_add(out, secret ? "PASSWORD" : value);
    }
}

static struct error *read_args(struct options *o, int argc, char *const *argv,
                               enum options_wish *ret_wish)
{
    _cleanup_str_ struct str typed = STR_INIT;

    for (int i = 1; i < argc; i++) {
        bool has_value, ours;
        const char *key = switch_key(argv[i], &has_value);

        if (streq(argv[i], "-help") || streq(argv[i], "--help")) {
            *ret_wish = OPTIONS_USAGE;
        } else if (streq(argv[i], "-version") || streq(argv[i], "--version")) {
            *ret_wish = OPTIONS_VERSION;
        } else if (key && !(has_value && i + 1 == argc)) {
            note_typed(&typed, argv[i], has_value ? argv[i + 1] : NULL);
            TRY(set(o, key, has_value ? argv[++i] : "true", &ours));
        } else {
            TRY(set_pair(o, argv[i], &ours));
            if (ours)
                note_typed(&typed, argv[i], NULL);
            else
                vec_add(&o->args, xstrdup(argv[i]));
        }
    }
    o->typed_options = str_take(&typed);
    return NULL;
}

/* "key=value,key=value", a comma inside a value is "\,"; late gets what is not ours. */
static struct error *read_extra(struct options *o, const char *text, struct options *late)
{
    _cleanup_str_ struct str one = STR_INIT;

    for (const char *p = text;; p++) {
        if (*p == '\\' && p[1]) {
            str_add_char(&one, *++p);
        } else if (*p && *p != ',') {
            str_add_char(&one, *p);
        } else {
            bool ours = false;

            if (one.len)
                TRY(set_pair(o, one.s, &ours));
            if (one.len && !ours)
                vec_add(&late->args, xstrdup(one.s));
            str_clear(&one);
            if (!*p)
                return NULL;
        }
    }
}

static struct error *read_file(struct options *o, struct options *late)
{
    const char *home = getenv("HOME");
    _cleanup_free_ char *path = xasprintf("%s/.xe", home ? home : "");
    _cleanup_str_ struct str text = STR_INIT;
    char *rest;
    bool ours;

    struct error *e = io_read_file(path, MAX_FILE, &text);

    if (e) {
        error_free(e);
        return NULL;
    }
    for (char *line = text.s ? strtok_r(text.s, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        line[strcspn(line, "\r")] = '\0';
        TRY(set_pair(o, line, &ours));
        if (!ours && strchr(line, '='))
            vec_add(&late->args, xstrdup(line));
    }
    return NULL;
}

static void find_socket(struct options *o)
{
    const char *named = getenv("XENOLITH_SOCKET"), *state = getenv("XENOLITH_STATE");
    struct stat st;

    o->socket_is_named = true;
    if (!str_empty(named))
        o->socket = xstrdup(named);
    else if (!str_empty(state))
        o->socket = xasprintf("%s/run/xapi", state);
    else if (stat("var/run/xapi", &st) == 0)
        o->socket = xstrdup("var/run/xapi");
    else
        o->socket = xstrdup("/var/lib/xcp/xapi");
    o->socket_is_named = !str_empty(named) || !str_empty(state);
}

struct error *options_read(int argc, char *const *argv, struct options *ret,
                           enum options_wish *ret_wish)
{
    _cleanup_(options_fini) struct options o = {.tls = true};
    struct options late = {0};

    o.user = xstrdup("");
    o.password = xstrdup("");
    set_line(&o.traceparent, getenv("TRACEPARENT"));
    set_line(&o.baggage, getenv("BAGGAGE"));
    *ret_wish = OPTIONS_RUN;
    /* Later sources overrule: so the weakest is read first. */
    struct error *e = read_file(&o, &late);
    struct options extra = {0};

    if (!e)
        e = read_extra(&o, getenv("XE_EXTRA_ARGS") ?: "", &extra);
    if (!e)
        e = read_args(&o, argc, argv, ret_wish);
    o.n_typed = o.args.n;
    vec_foreach (arg, &extra.args)
        vec_add(&o.args, *arg);
    vec_foreach (arg, &late.args)
        vec_add(&o.args, *arg);
    vec_fini(&extra.args);
    vec_fini(&late.args);
    TRY(e);
    if (o.server && (!*o.server || (streq(o.server, "127.0.0.1") && !o.port))) {
        free(o.server);
        o.server = NULL;
    }
    find_socket(&o);
    if (getenv("HOME"))
        o.known.path = xasprintf("%s/.xe-certificates", getenv("HOME"));
    *ret = o;
    o = (struct options){0};
    return NULL;
}
