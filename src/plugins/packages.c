/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * updater.py: which updates the distribution has for this machine, by the lists that apt fetched
 * last. They are installed by the administrator with the tools of the distribution.
 */
#include "plugins/plugin.h"

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

    while ((name = strsep(&at, " ,\n"))) {
        const char *const argv[] = {"dpkg-query", "--show", "--showformat=${Version}",
                                    "--",         name,     NULL};
        _cleanup_str_ struct str version = STR_INIT;

        if (!*name)
            continue;
        IGNORE_ERROR(plugin_output(argv, &version));
        if (version.len)
            json_object_set_new(found, name, json_string(version.s));
    }
    plugin_json(out, found);
    return NULL;
}

/* By the configuration of apt; {} = it goes without. */
struct error *plugin_proxies(const json_t *args, struct str *out)
{
    static const char *const argv[] = {"apt-config", "shell", "proxy", "Acquire::http::Proxy",
                                       NULL};
    _cleanup_str_ struct str text = STR_INIT;
    json_t *found = json_object();

    TRY(plugin_output(argv, &text));
    const char *open = strchr(str_cstr(&text), '\'');

    if (open)
        json_object_set_new(found, "http", json_stringn(open + 1, strcspn(open + 1, "'")));
    plugin_json(out, found);
    return NULL;
}
