/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lsblk.py, raid.py, smartctl.py, zfs.py: what programs of the system know of disks. A program that
 * is not there knows of none. */
#include "plugins/plugin.h"

#include "value/json.h"

/* ---- lsblk.py ---- */

/* Clients expect texts: numbers in decimal, 0 or 1, nothing at all. */
static json_t *as_texts(const json_t *j)
{
    json_t *made, *member;
    const char *key;
    size_t i;

    if (json_is_array(j)) {
        made = json_array();
        json_array_foreach (j, i, member)
            json_array_append_new(made, as_texts(member));
        return made;
    }
    if (json_is_object(j)) {
        made = json_object();
        json_object_foreach ((json_t *)(uintptr_t)j, key, member)
            json_object_set_new(made, key, as_texts(member));
        return made;
    }
    if (json_is_string(j))
        return json_copy((json_t *)(uintptr_t)j);
    if (json_is_integer(j))
        return json_sprintf("%lld", (long long)json_integer_value(j));
    return json_string(json_is_true(j) ? "1" : json_is_false(j) ? "0" : "");
}

struct error *plugin_block_devices(const json_t *args, struct str *out)
{
    static const char *const argv[] = {
        "lsblk", "--json", "--bytes", "--output", "NAME,KNAME,PKNAME,SIZE,TYPE,RO,MOUNTPOINT",
        NULL};
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_json_ json_t *j = NULL;

    TRY(plugin_output(argv, &text));
    TRY(json_parse(str_cstr(&text), text.len, &j));
    plugin_json(out, as_texts(j));
    return NULL;
}

/* ---- raid.py ---- */

/* "   0   8   1   0   active sync   /dev/sda1": numbers, words, a device at the end. */
static json_t *volume(char *line)
{
    json_t *list = json_array();
    char *word;

    while ((word = strsep(&line, " \t")))
        if (*word)
            json_array_append_new(list, json_string(word));
    return list;
}

static json_t *raid_detail(char *text)
{
    json_t *details = json_object(), *volumes = json_array();
    bool table = false;
    char *line;

    while ((line = plugin_line(&text))) {
        char *colon = strstr(line, " : ");

        if (colon && !table) {
            *colon = 0;
            json_object_set_new(details, plugin_trim(line), json_string(plugin_trim(colon + 3)));
        } else if (strstr(line, "RaidDevice")) {
            table = true;
        } else if (table && *plugin_trim(line)) {
            json_array_append_new(volumes, volume(line));
        }
    }
    return json_pack("{soso}", "raid", details, "volumes", volumes);
}

/* The first array of the machine; {} = there is none. */
struct error *plugin_raid(const json_t *args, struct str *out)
{
    static const char *const scan[] = {"mdadm", "--detail", "--scan", NULL};
    _cleanup_str_ struct str arrays = STR_INIT, text = STR_INIT;
    char *rest;

    if (plugin_has("mdadm"))
        TRY(plugin_output(scan, &arrays));
    if (!str_starts(str_cstr(&arrays), "ARRAY ")) {
        plugin_json(out, json_object());
        return NULL;
    }
    rest = arrays.s + strlen("ARRAY ");
    const char *const argv[] = {"mdadm", "--detail", strsep(&rest, " "), NULL};

    TRY(plugin_output(argv, &text));
    plugin_json(out, raid_detail(text.s));
    return NULL;
}

/* ---- smartctl.py ---- */

/* smartctl says by its exit status what it thinks of the disk; what counts is what it writes. */
static struct error *smart(const char *option, const char *device, const char *type,
                           const json_t **ret, json_t *keep)
{
    const char *const argv[] = {"smartctl", "--json", option, "-d", type, device, NULL};
    _cleanup_str_ struct str text = STR_INIT;
    json_t *j = NULL;

    IGNORE_ERROR(plugin_output(argv, &text));
    TRY(json_parse(str_cstr(&text), text.len, &j));
    json_array_append_new(keep, j);
    *ret = j;
    return NULL;
}

static struct error *each_disk(const char *option, json_t *(*look)(const json_t *said),
                               struct str *out)
{
    static const char *const argv[] = {"smartctl", "--json", "--scan", NULL};
    _cleanup_json_ json_t *all = NULL, *keep = json_array(), *told = json_object();
    _cleanup_str_ struct str text = STR_INIT;
    const json_t *device;
    size_t i;

    if (plugin_has("smartctl")) {
        TRY(plugin_output(argv, &text));
        TRY(json_parse(str_cstr(&text), text.len, &all));
    }
    json_array_foreach (json_object_get(all, "devices"), i, device) {
        const char *name = plugin_arg(device, "name"), *type = plugin_arg(device, "type");
        _cleanup_free_ char *key = xasprintf("%s:%s", name, type);
        const json_t *said;

        TRY(smart(option, name, type, &said, keep));
        json_object_set_new(told, key, look(said));
    }
    plugin_json(out, json_incref(told));
    return NULL;
}

static json_t *passed(const json_t *said)
{
    const json_t *verdict = json_object_get(json_object_get(said, "smart_status"), "passed");

    return json_string(!verdict ? "UNKNOWN" : json_is_true(verdict) ? "PASSED" : "FAILED");
}

static json_t *whole(const json_t *said)
{
    return json_incref((json_t *)(uintptr_t)said);
}

struct error *plugin_health(const json_t *args, struct str *out)
{
    return each_disk("--health", passed, out);
}

struct error *plugin_disk_information(const json_t *args, struct str *out)
{
    return each_disk("--all", whole, out);
}

/* ---- zfs.py ---- */

struct error *plugin_zfs_pools(const json_t *args, struct str *out)
{
    static const char *const argv[] = {"zfs", "get", "-H", "-o", "name,property,value",
                                       "all", NULL};
    _cleanup_str_ struct str text = STR_INIT;
    json_t *pools = json_object();

    if (plugin_has("zfs"))
        IGNORE_ERROR(plugin_output(argv, &text)); /* without its module it knows of none */
    for (char *at = text.s, *line; at && (line = plugin_line(&at));) {
        const char *name = strsep(&line, "\t"), *property = strsep(&line, "\t");

        if (!line || strchr(name, '/') || strchr(name, '@'))
            continue; /* what is in a pool */
        if (!json_object_get(pools, name))
            json_object_set_new(pools, name, json_object());
        json_object_set_new(json_object_get(pools, name), property, json_string(line));
    }
    plugin_json(out, pools);
    return NULL;
}
