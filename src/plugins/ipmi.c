/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipmitool.py: what the machine's management controller tells. */
#include "plugins/plugin.h"

#include "value/json.h"

#define IPMI_TIME_S 60

static bool is_available(void)
{
    static const char *const argv[] = {"ipmitool", "chassis", "status", NULL};
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_error_ struct error *e = plugin_has(argv[0]) ? plugin_output(argv, &text) : NULL;

    return plugin_has(argv[0]) && !e;
}

static struct error *check_available(void)
{
    return is_available() ? NULL : plugin_failure("1", "IPMI not available");
}

struct error *plugin_has_ipmi(const json_t *args, struct str *out)
{
    str_add(out, is_available() ? "true" : "false");
    return NULL;
}

/* "CPU Temp | 45 degrees C | ok" */
struct error *plugin_sensors(const json_t *args, struct str *out)
{
    static const char *const argv[] = {"ipmitool", "sdr", "list", NULL};
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_json_ json_t *all = json_array();

    TRY(check_available());
    TRY(plugin_output(argv, &text));
    for (char *at = text.s, *line; at && (line = plugin_line(&at));) {
        char *name = strsep(&line, "|"), *value = strsep(&line, "|"), *event = strsep(&line, "|");

        if (event)
            json_array_append_new(all, json_pack("{ss ss ss}", "name", plugin_trim(name), "value",
                                                 plugin_trim(value), "event", plugin_trim(event)));
    }
    plugin_json(out, json_incref(all));
    return NULL;
}

/* Lines "NAME : VALUE", of those that `wanted` names (NULL = of all). */
static json_t *named_values(char *text, const char *const *wanted)
{
    json_t *all = json_array();

    for (char *at = text, *line; at && (line = plugin_line(&at));) {
        char *colon = strchr(line, ':');
        bool take = colon && !wanted;

        for (size_t i = 0; colon && wanted && wanted[i]; i++)
            take = take || strstr(line, wanted[i]);
        if (!take)
            continue;
        *colon = 0;
        json_array_append_new(
            all, json_pack("{ss ss}", "name", plugin_trim(line), "value", plugin_trim(colon + 1)));
    }
    return all;
}

static struct error *add_sensor(const char *name, json_t *all)
{
    _cleanup_end_ struct plugin_end end = {0};
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "ipmitool");
    spawn_add(&s, "sdr");
    spawn_add(&s, "get");
    spawn_add(&s, name);
    TRY(plugin_run(&s, IPMI_TIME_S, &end));
    if (!end.err.len) /* else it knows no such sensor */
        json_array_append_new(
            all, json_pack("{ss so}", "name", name, "info", named_values(end.out.s, NULL)));
    return NULL;
}

/* Of the names in `sensors`, with commas between: they contain blanks. */
struct error *plugin_sensor(const json_t *args, struct str *out)
{
    _cleanup_free_ char *names = xstrdup(plugin_arg(args, "sensors"));
    _cleanup_json_ json_t *all = json_array();
    char *at = names, *name;

    TRY(check_available());
    while (*names && (name = strsep(&at, ","))) {
        name = plugin_trim(name);
        if (*name && *name != '-')
            TRY(add_sensor(name, all));
    }
    plugin_json(out, *plugin_arg(args, "sensors") ? json_incref(all) : json_object());
    return NULL;
}

struct error *plugin_ipmi_lan(const json_t *args, struct str *out)
{
    static const char *const argv[] = {"ipmitool", "lan", "print", NULL};
    static const char *const wanted[] = {
        "IP Address",         "Subnet Mask", "MAC Address",         "BMC ARP Control",
        "Default Gateway IP", "802.1q VLAN", "RMCP+ Cipher Suites", NULL};
    _cleanup_str_ struct str text = STR_INIT;

    TRY(check_available());
    TRY(plugin_output(argv, &text));
    plugin_json(out, named_values(text.s, wanted));
    return NULL;
}
