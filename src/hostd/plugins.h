/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Programs that clients may call by name: those an administrator put into <state>/plugins and
 * /etc/xapi.d/plugins (in this order), and the same with extensions; then plugins that come with
 * this product (src/plugins). A program is run only if root
 * or this user owns it and nobody else may write to it. Any thread; at most PLUGINS_MAX run at
 * once, each for at most PLUGIN_TIME_S.
 */

#include "base/str.h"
#include "hostd/machine.h"

#define PLUGINS_MAX    16
#define PLUGIN_TIME_S  3600
#define PLUGIN_OUT_MAX (4u << 20)

struct plugin_run {
    const char *kind; /* "plugins", "extensions" */
    const char *name;
    const char *argument;
    const char *input;
};

bool plugin_exists(const struct machine *m, const char *kind, const char *name);
/* XENAPI_MISSING_PLUGIN [name], TOO_MANY_PENDING_TASKS. *ret_status: exit code, or 256 + signal. */
_must_check_ struct error *plugin_run(struct machine *m, const struct plugin_run *run,
                                      struct str *ret_out, struct str *ret_err, int *ret_status);
