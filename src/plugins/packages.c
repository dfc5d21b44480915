/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * updater.py: which updates the distribution has for this machine, by the lists that apt fetched
 * last, and their installation, by fresh ones. Files of configuration that the administrator
 * changed stay.
 */
#include "plugins/plugin.h"

#include "base/io.h"
#include "value/json.h"

#include <ctype.h>

#define APT_TIME_S (50 * 60) /* within the hour that a plugin has */
#define PROXY_FILE "apt/apt.conf.d/90xenolith-proxy"
#define NO_PROXY   "_none_"

/* "1:2.3-4" -> version and release; a package of Debian alone has no release. */
static json_t *update(const char *name, const char *version, json_t *description)
{
    const char *dash = strrchr(version, '-');
    size_t n = dash ? (size_t)(dash - version) : strlen(version);

    return json_pack("{ss ss% ss so sn ss si ss}", "name", name, "version", version, n, "release",
                     dash ? dash + 1 : "", "description", description, "changelog", "url", "",
                     "size", 0, "license", "");
}

static json_t *summary(const char *name)
{
    const char *const argv[] = {"dpkg-query", "--show", "--showformat=${binary:Summary}", name,
                                NULL};
    _cleanup_str_ struct str text = STR_INIT;

    IGNORE_ERROR(plugin_output(argv, &text)); /* one that comes new is not known yet */
    json_t *j = json_string(str_cstr(&text));

    return j ? j : json_string("");
}

/* "Inst NAME [OLD] (NEW Debian:12/stable [amd64])"; new ones have no OLD. */
static json_t *read_update(char *line)
{
    char *name = line + strlen("Inst "), *open = strchr(name, '(');
    char *end = strchr(name, ' ');

    if (!open || !end)
        return NULL;
    *end = 0;
    open[strcspn(open, " )")] = 0;
    return update(name, open + 1, summary(name));
}

struct error *plugin_updates(const json_t *args, struct str *out)
{
    static const char *const argv[] = {"apt-get", "--simulate", "--quiet", "dist-upgrade", NULL};
    _cleanup_str_ struct str text = STR_INIT;
    json_t *all = json_array();
    struct error *e = plugin_output(argv, &text);

    for (char *at = text.s, *line; !e && at && (line = plugin_line(&at));)
        if (str_starts(line, "Inst "))
            json_array_append_new(all, read_update(line));
    plugin_json(out, all);
    return e;
}

/* Of the names in `packages`, with blanks or commas between, those that are installed, and their
 * versions. */
struct error *plugin_installed(const json_t *args, struct str *out)
{
    _cleanup_free_ char *names = xstrdup(plugin_arg(args, "packages"));
    json_t *found = json_object();
    char *at = names, *name;

    while ((name = plugin_word(&at))) {
        const char *const argv[] = {"dpkg-query", "--show", "--showformat=${Version}",
                                    "--",         name,     NULL};
        _cleanup_str_ struct str version = STR_INIT;

        IGNORE_ERROR(plugin_output(argv, &version));
        if (version.len)
            json_object_set_new(found, name, json_string(version.s));
    }
    plugin_json(out, found);
    return NULL;
}

/* ---- installing */

/* A dash behind a name would remove the package. */
static bool is_package(const char *name)
{
    const size_t n = strlen(name);

    return isalnum((unsigned char)name[0]) && name[n - 1] != '-' && n < 200 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.:~=") == n;
}

static struct error *add_names(struct spawn *s, const char *names)
{
    _cleanup_free_ char *copy = xstrdup(names);
    char *at = copy, *name;

    while ((name = plugin_word(&at))) {
        if (!is_package(name))
            return plugin_failure("-1", "a name of `packages` is none");
        spawn_add(s, name);
    }
    return NULL;
}

/* "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 12 (apt-get)". Clients
 * know these words. */
static struct error *why_not(const struct plugin_end *end)
{
    if (!strstr(str_cstr(&end->err), "Could not get lock"))
        return plugin_failure("-1", str_cstr(&end->err));
    const char *open = strrchr(end->err.s, '(');
    const size_t n = open ? strcspn(open + 1, ")") : 0;
    _cleanup_free_ char *text = xasprintf("The updater plugin is busy (current operation: %.*s)",
                                          open ? (int)n : 3, open ? open + 1 : "apt");

    return plugin_failure("-1", text);
}

/* The distribution removes packages that newer ones have replaced. Where it is out of reach, what
 * apt has will do. */
static void refresh_lists(void)
{
    static const char *const argv[] = {"apt-get", "--quiet", "update", NULL};
    _cleanup_str_ struct str text = STR_INIT;

    IGNORE_ERROR(plugin_output(argv, &text));
}

struct error *packages_install(const char *names, bool upgrade, struct plugin_end *ret)
{
    static const char *const options[] = {"--quiet", "--assume-yes",
                                          "-o",      "DPkg::Lock::Timeout=10",
                                          "-o",      "Dpkg::Options::=--force-confdef",
                                          "-o",      "Dpkg::Options::=--force-confold"};
    const bool some = names[strspn(names, " ,\n")] != 0;
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "apt-get");
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        spawn_add(&s, options[i]);
    spawn_env(&s, "DEBIAN_FRONTEND", "noninteractive");
    spawn_add(&s, some ? "install" : "dist-upgrade");
    if (some && upgrade)
        spawn_add(&s, "--only-upgrade");
    if (some)
        spawn_add(&s, "--");
    TRY(add_names(&s, names));
    refresh_lists();
    TRY(plugin_run(&s, APT_TIME_S, ret));
    return ret->status ? why_not(ret) : NULL;
}

static struct error *install(const json_t *args, bool upgrade, const char *command, struct str *out)
{
    _cleanup_end_ struct plugin_end end = {0};

    TRY(packages_install(plugin_arg(args, "packages"), upgrade, &end));
    plugin_json(out, json_pack("{ss ss si ss}", "stdout", str_cstr(&end.out), "stderr",
                               str_cstr(&end.err), "returncode", end.status, "command", command));
    return NULL;
}

/* Of `packages`, or of all. What `repos` names besides is what apt knows of anyway. */
struct error *plugin_update(const json_t *args, struct str *out)
{
    return install(args, true, "apt-get dist-upgrade", out);
}

struct error *plugin_install(const json_t *args, struct str *out)
{
    const char *names = plugin_arg(args, "packages");

    if (!names[strspn(names, " ,\n")])
        return plugin_failure("-1", "Missing or empty argument `packages`");
    return install(args, false, "apt-get install", out);
}

/* ---- proxies, for each kind of address */

static const char *const kinds[] = {"http", "https"};

static struct error *read_proxy(const char *kind, json_t *found)
{
    _cleanup_free_ char *key = xasprintf("Acquire::%s::Proxy", kind);
    const char *const argv[] = {"apt-config", "shell", "proxy", key, NULL};
    _cleanup_str_ struct str text = STR_INIT;

    TRY(plugin_output(argv, &text));
    const char *open = strchr(str_cstr(&text), '\'');

    json_object_set_new(
        found, kind, open ? json_stringn(open + 1, strcspn(open + 1, "'")) : json_string(NO_PROXY));
    return NULL;
}

static struct error *read_proxies(json_t **ret)
{
    _cleanup_json_ json_t *found = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        TRY(read_proxy(kinds[i], found));
    *ret = json_incref(found);
    return NULL;
}

/* By the configuration of apt. */
struct error *plugin_proxies(const json_t *args, struct str *out)
{
    json_t *found = NULL;

    TRY(read_proxies(&found));
    plugin_json(out, found);
    return NULL;
}

/* It stands between quotes in a file that apt reads. */
static bool is_proxy(const char *url)
{
    const char *bad = "\"'\\;{} \t\n";

    return streq(url, NO_PROXY) ||
           ((str_starts(url, "http://") || str_starts(url, "https://")) && !strpbrk(url, bad));
}

static struct error *change_proxies(json_t *all, const json_t *wanted)
{
    const char *kind;
    json_t *url;

    json_object_foreach ((json_t *)(uintptr_t)wanted, kind, url) {
        _cleanup_free_ char *unknown = xasprintf("Can't find section '%s' in config file", kind);

        if (!json_object_get(all, kind))
            return plugin_failure("-1", unknown);
        if (!json_is_string(url) || !is_proxy(json_string_value(url)))
            return plugin_failure("-1", "a proxy is http://HOST:PORT, https://HOST:PORT or _none_");
        json_object_set(all, kind, url);
    }
    return NULL;
}

struct error *plugin_set_proxies(const json_t *args, struct str *out)
{
    const char *text = plugin_arg(args, "proxies");
    _cleanup_free_ char *path = plugin_etc(PROXY_FILE);
    _cleanup_json_ json_t *wanted = NULL, *all = NULL;
    _cleanup_str_ struct str file = STR_INIT;

    TRY(json_parse(text, strlen(text), &wanted));
    TRY(read_proxies(&all));
    TRY(change_proxies(all, wanted));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const char *url = json_string_value(json_object_get(all, kinds[i]));

        if (!streq(url, NO_PROXY))
            str_printf(&file, "Acquire::%s::Proxy \"%s\";\n", kinds[i], url);
    }
    return file.len ? io_write_file(path, file.s, file.len, 0644) : io_unlink(path);
}
