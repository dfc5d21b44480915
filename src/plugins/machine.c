/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* echo, hyperthreading.py. */
#include "plugins/plugin.h"

#include "base/io.h"

/* For those who want to know whether plugins work at all. */
struct error *plugin_echo(const json_t *args, struct str *out)
{
    plugin_json(out, json_deep_copy(args ? args : json_null()));
    return NULL;
}

struct error *plugin_hyperthreading(const json_t *args, struct str *out)
{
    _cleanup_str_ struct str text = STR_INIT;

    IGNORE_ERROR(io_read_file("/sys/devices/system/cpu/smt/active", 16, &text));
    str_add(out, str_starts(str_cstr(&text), "1") ? "true" : "false");
    return NULL;
}
