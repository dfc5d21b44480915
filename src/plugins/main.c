/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plugins/plugin.h"

#include "base/utf8.h"
#include "base/world.h"
#include "value/xml.h"

#include <sys/wait.h>

#define PROGRAM_TIME_S  300
#define PROGRAM_OUT_MAX (16u << 20)

static const struct plugin_function functions[] = {
    {"echo", "main", false, plugin_echo},
    {"hyperthreading.py", "get_hyperthreading", false, plugin_hyperthreading},
    {"ipmitool.py", "get_all_sensors", false, plugin_sensors},
    {"ipmitool.py", "get_ipmi_lan", false, plugin_ipmi_lan},
    {"ipmitool.py", "get_sensor", false, plugin_sensor},
    {"ipmitool.py", "is_ipmi_device_available", false, plugin_has_ipmi},
    {"lsblk.py", "list_block_devices", false, plugin_block_devices},
    {"lvm.py", "create_physical_volume", true, plugin_create_physical_volume},
    {"lvm.py", "create_thin_pool", true, plugin_create_thin_pool},
    {"lvm.py", "create_volume_group", true, plugin_create_volume_group},
    {"lvm.py", "destroy_volume_group", true, plugin_destroy_volume_group},
    {"lvm.py", "list_logical_volumes", false, plugin_logical_volumes},
    {"lvm.py", "list_physical_volumes", false, plugin_physical_volumes},
    {"lvm.py", "list_volume_groups", false, plugin_volume_groups},
    {"netdata.py", "get_netdata_api_key", false, plugin_netdata_key},
    {"netdata.py", "install_netdata", true, plugin_install_netdata},
    {"netdata.py", "is_netdata_installed", false, plugin_has_netdata},
    {"raid.py", "check_raid_pool", false, plugin_raid},
    {"sdncontroller.py", "add-rule", false, plugin_no_flows},
    {"sdncontroller.py", "del-rule", false, plugin_no_flows},
    {"sdncontroller.py", "dump-flows", false, plugin_no_flows},
    {"service.py", "restart_service", true, plugin_restart_service},
    {"service.py", "start_service", true, plugin_start_service},
    {"service.py", "stop_service", true, plugin_stop_service},
    {"service.py", "try_restart_service", true, plugin_try_restart_service},
    {"smartctl.py", "health", false, plugin_health},
    {"smartctl.py", "information", false, plugin_disk_information},
    {"updater.py", "check_update", false, plugin_updates},
    {"updater.py", "get_proxies", false, plugin_proxies},
    {"updater.py", "install", true, plugin_install},
    {"updater.py", "query_installed", false, plugin_installed},
    {"updater.py", "set_proxies", true, plugin_set_proxies},
    {"updater.py", "update", true, plugin_update},
    {"zfs.py", "list_zfs_pools", false, plugin_zfs_pools},
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

char *plugin_word(char **list)
{
    char *word = NULL;

    while ((word = strsep(list, " ,\n")) && !*word)
        continue;
    return word;
}

char *plugin_trim(char *s)
{
    s += strspn(s, " \t");
    for (size_t n = strlen(s); n && strchr(" \t", s[n - 1]); n--)
        s[n - 1] = 0;
    return s;
}

char *plugin_etc(const char *path)
{
    const char *etc = "/etc";

#ifdef XENOLITH_TEST_HOOKS
    etc = getenv("XENOLITH_ETC") ?: etc;
#endif
    return xasprintf("%s/%s", etc, path);
}

void plugin_end_fini(struct plugin_end *e)
{
    str_fini(&e->out);
    str_fini(&e->err);
}

struct error *plugin_run(struct spawn *s, int64_t seconds, struct plugin_end *ret)
{
    int status;

    spawn_env(s, "LC_ALL", "C.UTF-8");
    TRY(spawn_run_status(s, seconds * SECOND_US, PROGRAM_OUT_MAX, &ret->out, &ret->err, &status));
    ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (ret->out.len)
        utf8_clean(ret->out.s);
    if (ret->err.len)
        utf8_clean(ret->err.s);
    return NULL;
}

struct error *plugin_failure(const char *code, const char *text)
{
    return error_api(code, 3, text, "", "");
}

/* ---- the call and its answer ---- */

static struct error *no_such(const char *plugin, const char *function)
{
    const char *params[] = {plugin, function, "this host has no such function"};

    return error_api_v("XENAPI_PLUGIN_FAILURE", params, ARRAY_SIZE(params));
}

/* hostd says so to what it starts. */
static struct error *check_may(const struct plugin_function *f)
{
    if (!f->changes || getenv("XENOLITH_MANAGE_MACHINE"))
        return NULL;
    return error_api("PERMISSION_DENIED", 1,
                     "this host's daemons may not change the machine (xenolith-hostd "
                     "--manage-machine)");
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
    struct error *e = f ? check_may(f) : no_such(plugin, c.method);

    if (!e)
        e = f->run(args, out);

    xml_call_fini(&c);
    return e;
}

static void add_value(struct str *out, const char *text)
{
    str_lit(out, "<value>");
    xml_add_text(out, text);
    str_lit(out, "</value>");
}

static void add_failure(struct str *out, const struct error *e)
{
    str_lit(out, "<value><struct><member><name>Status</name><value>Failure</value></member>"
                 "<member><name>ErrorDescription</name><value><array><data>");
    for (int i = -1; i < e->n_params; i++)
        add_value(out, i < 0 ? e->code : e->params[i]);
    str_lit(out, "</data></array></value></member></struct></value>");
}

/* Of a system failure the words are the parameter, as Python's plugins tell it. */
static struct error *unexpected(struct error *e)
{
    _cleanup_free_ char *text = error_string(e);

    error_free(e);
    return plugin_failure("-1", text);
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

    if (e && !e->code)
        e = unexpected(e);

    str_lit(&answer, "<?xml version=\"1.0\"?><methodResponse><params><param>");
    if (e)
        add_failure(&answer, e);
    else
        add_value(&answer, str_cstr(&text));
    str_lit(&answer, "</param></params></methodResponse>\n");
    fputs(answer.s, stdout);
    return 0;
}
