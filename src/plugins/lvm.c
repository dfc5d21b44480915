/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lvm.py: volumes of the machine's disks, by LVM's own programs. Without them there are none. */
#include "plugins/plugin.h"

#include "value/json.h"

#define LVM_TIME_S 600

static struct error *run_lvm(struct spawn *s, struct plugin_end *end)
{
    return plugin_has(s->argv.v[0]) ? plugin_run(s, LVM_TIME_S, end)
                                    : plugin_failure("-1", "LVM is not installed on this host");
}

static struct error *lvm_error(const struct plugin_end *end)
{
    _cleanup_free_ char *code = xasprintf("LVM_ERROR(%d)", end->status);

    return plugin_failure(code, str_cstr(&end->err));
}

static bool is_no_such_group(const struct plugin_end *end, const char *group)
{
    _cleanup_free_ char *said = xasprintf("Volume group \"%s\" not found", group);

    return *group && strstr(str_cstr(&end->err), said);
}

/* ---- lists */

struct column {
    const char *of_lvm, *name; /* the first one is the key */
    bool is_number;
};

struct listing {
    const char *program;
    struct column columns[8];
};

static void add_row(json_t *all, const struct column *c, char *line)
{
    const char *key = strsep(&line, "|");
    json_t *row = json_object();

    for (c++; c->of_lvm && line; c++) {
        const char *text = strsep(&line, "|");

        json_object_set_new(
            row, c->name, c->is_number ? json_integer(strtoll(text, NULL, 10)) : json_string(text));
    }
    json_object_set_new(all, key, row);
}

static struct error *list(const struct listing *l, const char *group, struct str *out)
{
    _cleanup_end_ struct plugin_end end = {0};
    _cleanup_json_ json_t *all = json_object();
    _cleanup_str_ struct str columns = STR_INIT;
    _cleanup_spawn_ struct spawn s;

    for (const struct column *c = l->columns; c->of_lvm; c++)
        str_printf(&columns, "%s%s", columns.len ? "," : "", c->of_lvm);
    spawn_init(&s, l->program);
    for (const char *const *w = (const char *const[]){"--noheadings", "--units", "b", "--nosuffix",
                                                      "--separator", "|", "-o", NULL};
         *w; w++)
        spawn_add(&s, *w);
    spawn_add(&s, columns.s);
    if (*group) {
        spawn_add(&s, "--");
        spawn_add(&s, group);
    }
    if (plugin_has(l->program))
        TRY(plugin_run(&s, LVM_TIME_S, &end));
    if (end.status && !is_no_such_group(&end, group))
        return lvm_error(&end);
    for (char *at = end.out.s, *line; at && (line = plugin_line(&at));)
        if (*(line = plugin_trim(line)))
            add_row(all, l->columns, line);
    plugin_json(out, json_incref(all));
    return NULL;
}

struct error *plugin_physical_volumes(const json_t *args, struct str *out)
{
    static const struct listing l = {"pvs",
                                     {{"pv_name", NULL, false},
                                      {"vg_name", "vg_name", false},
                                      {"pv_fmt", "format", false},
                                      {"pv_attr", "attributes", false},
                                      {"pv_size", "capacity", true},
                                      {"pv_free", "free", true}}};

    return list(&l, "", out);
}

struct error *plugin_volume_groups(const json_t *args, struct str *out)
{
    static const struct listing l = {"vgs",
                                     {{"vg_name", NULL, false},
                                      {"pv_count", "pv_count", true},
                                      {"lv_count", "lv_count", true},
                                      {"snap_count", "sn_count", true},
                                      {"vg_attr", "attributes", false},
                                      {"vg_size", "capacity", true},
                                      {"vg_free", "free", true}}};

    return list(&l, plugin_arg(args, "vg_name"), out);
}

struct error *plugin_logical_volumes(const json_t *args, struct str *out)
{
    static const struct listing l = {"lvs",
                                     {{"lv_name", NULL, false},
                                      {"vg_name", "vg_name", false},
                                      {"lv_attr", "attributes", false},
                                      {"lv_size", "capacity", true},
                                      {"pool_lv", "pool", false}}};

    return list(&l, plugin_arg(args, "vg_name"), out);
}

/* ---- changes */

static bool is_true(const json_t *args, const char *name)
{
    const char *text = plugin_arg(args, name);

    return !strcasecmp(text, "true") || !strcasecmp(text, "yes") || !strcasecmp(text, "on") ||
           streq(text, "1");
}

static struct error *add_name(struct spawn *s, const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-";

    if (!*name || *name == '-' || strlen(name) > 127 || name[strspn(name, letters)])
        return plugin_failure("-1", "a name of a volume or a group is missing or is none");
    spawn_add(s, name);
    return NULL;
}

static struct error *add_devices(struct spawn *s, const json_t *args)
{
    _cleanup_free_ char *list = xstrdup(plugin_arg(args, "devices"));
    char *at = list, *device;
    int n = 0;

    for (; (device = plugin_word(&at)); n++) {
        if (!str_starts(device, "/dev/") || strstr(device, ".."))
            return plugin_failure("-1", "a device of `devices` is none");
        spawn_add(s, device);
    }
    return n ? NULL : plugin_failure("-1", "Missing or empty argument `devices`");
}

/* Forced: nothing is asked; else a question is a refusal. */
static struct error *change(struct spawn *s, const char *forgive, struct str *out)
{
    _cleanup_end_ struct plugin_end end = {0};

    TRY(run_lvm(s, &end));
    if (end.status && !(forgive && is_no_such_group(&end, forgive)))
        return lvm_error(&end);
    str_add(out, "{}");
    return NULL;
}

struct error *plugin_create_physical_volume(const json_t *args, struct str *out)
{
    const bool force = is_true(args, "force");
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "pvcreate");
    if (force || is_true(args, "ignore_existing_filesystems")) {
        spawn_add(&s, force ? "-ff" : "-f");
        spawn_add(&s, "-y");
    } else {
        spawn_add(&s, "-qq");
    }
    TRY(add_devices(&s, args));
    return change(&s, NULL, out);
}

struct error *plugin_create_volume_group(const json_t *args, struct str *out)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "vgcreate");
    if (is_true(args, "force"))
        spawn_add(&s, "-f");
    TRY(add_name(&s, plugin_arg(args, "vg_name")));
    TRY(add_devices(&s, args));
    return change(&s, NULL, out);
}

/* Forced: with the volumes in it, and one that is gone already is fine. */
struct error *plugin_destroy_volume_group(const json_t *args, struct str *out)
{
    const char *group = plugin_arg(args, "vg_name");
    const bool force = is_true(args, "force");
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "vgremove");
    spawn_add(&s, force ? "-f" : "-qq");
    if (force)
        spawn_add(&s, "-y");
    TRY(add_name(&s, group));
    return change(&s, force ? group : NULL, out);
}

/* Of all the room that the group has left. */
struct error *plugin_create_thin_pool(const json_t *args, struct str *out)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "lvcreate");
    spawn_add(&s, "-l");
    spawn_add(&s, "100%FREE");
    spawn_add(&s, "--type");
    spawn_add(&s, "thin-pool");
    spawn_add(&s, "-n");
    TRY(add_name(&s, plugin_arg(args, "lv_name")));
    TRY(add_name(&s, plugin_arg(args, "vg_name")));
    return change(&s, NULL, out);
}
