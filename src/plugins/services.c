/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service.py, netdata.py, sdncontroller.py: programs beside the product that clients steer. */
#include "plugins/plugin.h"

#include "base/io.h"
#include "base/mem.h"

#define SERVICE_TIME_S 120
#define STREAM_FILE    "netdata/stream.conf"
#define STREAM_MAX     (1u << 20)

static struct error *systemctl(const char *verb, const char *service, struct plugin_end *end)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "systemctl");
    spawn_add(&s, verb);
    spawn_add(&s, service);
    return plugin_run(&s, SERVICE_TIME_S, end);
}

static struct error *must(const char *verb, const char *service, struct str *out)
{
    _cleanup_end_ struct plugin_end end = {0};

    TRY(systemctl(verb, service, &end));
    if (end.status)
        return plugin_failure("-1", str_cstr(&end.err));
    str_add(out, "true");
    return NULL;
}

/* ---- service.py */

static struct error *steer(const char *verb, const json_t *args, struct str *out)
{
    static const char *const allowed[] = {"linstor-controller", "linstor-satellite"};
    const char *service = plugin_arg(args, "service");

    if (!*service)
        return plugin_failure("-1", "Missing or empty argument `service`");
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
        if (streq(service, allowed[i]))
            return must(verb, service, out);
    return plugin_failure("-1", "This service is not whitelisted");
}

struct error *plugin_start_service(const json_t *args, struct str *out)
{
    return steer("start", args, out);
}

struct error *plugin_stop_service(const json_t *args, struct str *out)
{
    return steer("stop", args, out);
}

struct error *plugin_restart_service(const json_t *args, struct str *out)
{
    return steer("restart", args, out);
}

struct error *plugin_try_restart_service(const json_t *args, struct str *out)
{
    return steer("try-restart", args, out);
}

/* ---- netdata.py: figures of the machine, sent to a collector */

struct error *plugin_has_netdata(const json_t *args, struct str *out)
{
    _cleanup_end_ struct plugin_end end = {0};

    if (plugin_has("systemctl"))
        TRY(systemctl("is-active", "netdata", &end));
    str_add(out, plugin_has("systemctl") && !end.status ? "true" : "false");
    return NULL;
}

/* "" = it sends its figures to nobody. */
struct error *plugin_netdata_key(const json_t *args, struct str *out)
{
    _cleanup_free_ char *path = plugin_etc(STREAM_FILE);
    _cleanup_str_ struct str text = STR_INIT;

    if (access(path, F_OK) == 0)
        TRY(io_read_file(path, STREAM_MAX, &text));
    for (char *at = text.s, *line; at && (line = plugin_line(&at));) {
        line[strcspn(line, "#")] = 0;
        char *value = strchr(line, '=');

        if (!value || !str_starts(plugin_trim(line), "api key"))
            continue;
        str_add(out, plugin_trim(value + 1));
        break;
    }
    return NULL;
}

/* They become a line of a file: nothing that could end it. */
static bool is_plain(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:[] ";

    return *text && strlen(text) < 1024 && !text[strspn(text, letters)];
}

struct error *plugin_install_netdata(const json_t *args, struct str *out)
{
    const char *key = plugin_arg(args, "api_key"), *to = plugin_arg(args, "destination");
    _cleanup_free_ char *dir = plugin_etc("netdata"), *path = plugin_etc(STREAM_FILE);
    _cleanup_end_ struct plugin_end end = {0};
    _cleanup_free_ char *text = xasprintf("# Written by the plugin netdata.py.\n[stream]\n"
                                          "    enabled = yes\n"
                                          "    destination = %s\n"
                                          "    api key = %s\n",
                                          to, key);

    if (!is_plain(key) || !is_plain(to))
        return plugin_failure("-1", "`api_key` or `destination` is missing or cannot be one");
    TRY(packages_install("netdata", false, &end));
    TRY(io_mkdir_p(dir, 0755));
    TRY(io_write_file(path, text, strlen(text), 0640));
    return must("restart", "netdata", out);
}

/* ---- sdncontroller.py */

/* Rules of a network are those of its port locking; its switch is the kernel's bridge. 3 is what
 * clients know a failure of Open vSwitch by. */
struct error *plugin_no_flows(const json_t *args, struct str *out)
{
    return plugin_failure("3", "this host switches without Open vSwitch: it has no OpenFlow rules");
}
