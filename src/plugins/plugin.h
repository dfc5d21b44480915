/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * xenolith-plugin: programs that clients of the XenAPI expect to be able to call on a host
 * (host.call_plugin), under the names that they have there. It is called by such a name with one
 * argument, the methodCall FN(session, struct of texts), writes a methodResponse and ends.
 *
 * Source: what the plugins of XCP-ng take and answer.
 */

#include "base/error.h"
#include "base/str.h"

#include <jansson.h>

struct plugin_function {
    const char *plugin, *name;
    /* Appends the text to be answered. args: an object, maybe empty. */
    struct error *(*run)(const json_t *args, struct str *out);
};

/* The text of an argument, "" = absent. */
const char *plugin_arg(const json_t *args, const char *name);
/* Appends j as text, and frees it. */
void plugin_json(struct str *out, json_t *j);
/* What a program of the system writes; argv ends with NULL. A non-zero exit is an error. */
_must_check_ struct error *plugin_output(const char *const *argv, struct str *ret);
/* Is there a program of that name? */
bool plugin_has(const char *program);
/* The next line of a text, without its end; *text moves on. NULL = there is none. */
char *plugin_line(char **text);

/* machine.c */
struct error *plugin_echo(const json_t *args, struct str *out);
struct error *plugin_hyperthreading(const json_t *args, struct str *out);
struct error *plugin_has_ipmi(const json_t *args, struct str *out);
/* disks.c */
struct error *plugin_block_devices(const json_t *args, struct str *out);
struct error *plugin_raid(const json_t *args, struct str *out);
struct error *plugin_health(const json_t *args, struct str *out);
struct error *plugin_disk_information(const json_t *args, struct str *out);
struct error *plugin_zfs_pools(const json_t *args, struct str *out);
/* packages.c */
struct error *plugin_updates(const json_t *args, struct str *out);
struct error *plugin_installed(const json_t *args, struct str *out);
struct error *plugin_proxies(const json_t *args, struct str *out);
