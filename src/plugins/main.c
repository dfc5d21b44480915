/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plugins/plugin.h"

#include "base/spawn.h"
#include "base/world.h"
#include "value/xml.h"

#define PROGRAM_TIME_S  300
#define PROGRAM_OUT_MAX (16u << 20)

static const struct plugin_function functions[] = {
    {"echo", "main", plugin_echo},
    {"hyperthreading.py", "get_hyperthreading", plugin_hyperthreading},
    {"ipmitool.py", "is_ipmi_device_available", plugin_has_ipmi},
    {"lsblk.py", "list_block_devices", plugin_block_devices},
    {"raid.py", "check_raid_pool", plugin_raid},
    {"smartctl.py", "health", plugin_health},
    {"smartctl.py", "information", plugin_disk_information},
    {"updater.py", "check_update", plugin_updates},
    {"updater.py", "get_proxies", plugin_proxies},
    {"updater.py", "query_installed", plugin_installed},
    {"zfs.py", "list_zfs_pools", plugin_zfs_pools},
};

const char *plugin_arg(const json_t *args, const char *name)
{
    const char *text = json_string_value(json_object_get(args, name));

    return text ? text : "";
}

void plugin_json(struct str *out, json_t *j)
{
    char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

    str_add(out, text);
    free(text);
    json_decref(j);
}

struct error *plugin_output(const char *const *argv, struct str *ret)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, argv[0]);
    for (const char *const *a = argv + 1; *a; a++)
        spawn_add(&s, *a);
    spawn_env(&s, "LC_ALL", "C.UTF-8");
    return spawn_run(&s, PROGRAM_TIME_S * SECOND_US, PROGRAM_OUT_MAX, ret);
}

bool plugin_has(const char *program)
{
    const char *at = getenv("PATH");
    bool found = false;

    while (at && *at && !found) {
        size_t n = strcspn(at, ":");
        _cleanup_free_ char *path = xasprintf("%.*s/%s", (int)n, at, program);

        found = access(path, X_OK) == 0;
        at += n + (at[n] == ':');
    }
    return found;
}

char *plugin_line(char **text)
{
    return strsep(text, "\n");
}

/* ---- the call and its answer ---- */

static struct error *no_such(const char *plugin, const char *function)
{
    const char *params[] = {plugin, function, "this host has no such function"};

    return error_api_v("XENAPI_PLUGIN_FAILURE", params, ARRAY_SIZE(params));
}

static struct error *run(const char *plugin, const char *text, struct str *out)
{
    struct xml_call c = {0};

    TRY(xml_parse_call(text, strlen(text), &c));
    const json_t *args = json_array_get(c.params, 1);
    const struct plugin_function *f = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (streq(functions[i].plugin, plugin) && streq(functions[i].name, c.method))
            f = &functions[i];
    struct error *e = f ? f->run(args, out) : no_such(plugin, c.method);

    xml_call_fini(&c);
    return e;
}

static void add_value(struct str *out, const char *text)
{
    str_lit(out, "<value>");
    xml_add_text(out, text);
    str_lit(out, "</value>");
}

/* Of a system failure the words are the parameter, as Python's plugins tell it. */
static void add_failure(struct str *out, const struct error *e)
{
    _cleanup_free_ char *text = error_string(e);

    str_lit(out, "<value><struct><member><name>Status</name><value>Failure</value></member>"
                 "<member><name>ErrorDescription</name><value><array><data>");
    add_value(out, e->code ? e->code : "-1");
    if (!e->code)
        add_value(out, text);
    for (int i = 0; e->code && i < e->n_params; i++)
        add_value(out, e->params[i]);
    str_lit(out, "</data></array></value></member></struct></value>");
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    _cleanup_str_ struct str text = STR_INIT, answer = STR_INIT;

    if (argc != 2) {
        fputs("usage: NAME METHODCALL; see xenolith-hostd(8)\n", stderr);
        return 2;
    }
    _cleanup_error_ struct error *e = run(slash ? slash + 1 : argv[0], argv[1], &text);

    str_lit(&answer, "<?xml version=\"1.0\"?><methodResponse><params><param>");
    if (e)
        add_failure(&answer, e);
    else
        add_value(&answer, str_cstr(&text));
    str_lit(&answer, "</param></params></methodResponse>\n");
    fputs(answer.s, stdout);
    return 0;
}
