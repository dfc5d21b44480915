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
#include "base/spawn.h"
#include "base/str.h"

#include <jansson.h>

struct plugin_function {
    const char *plugin, *name;
    bool changes; /* the machine: only where hostd says that it may be changed */
    /* Appends the text to be answered. args: an object, maybe empty. */
    struct error *(*run)(const json_t *args, struct str *out);
};

/* The text of an argument, "" = absent. */
const char *plugin_arg(const json_t *args, const char *name);
/* Appends j as text, and frees it. */
void plugin_json(struct str *out, json_t *j);
/* What a program of the system writes; argv ends with NULL. A non-zero exit is an error. */
_must_check_ struct error *plugin_output(const char *const *argv, struct str *ret);
/* How a program of the system ended. */
struct plugin_end {
    int status; /* it exited with, 128 and more: a signal */
    struct str out, err;
};

void plugin_end_fini(struct plugin_end *e);
#define _cleanup_end_ _cleanup_(plugin_end_fini)
/* Runs what was added to a `struct spawn`; a non-zero exit is no error here. */
_must_check_ struct error *plugin_run(struct spawn *s, int64_t seconds, struct plugin_end *ret);
/* The failure that clients know plugins by: a code and a text. */
struct error *plugin_failure(const char *code, const char *text);
/* Is there a program of that name? */
bool plugin_has(const char *program);
/* The next word of a list with blanks or commas between, NULL = there is none; *list moves on. */
char *plugin_word(char **list);
/* Without blanks around it, in place. */
char *plugin_trim(char *s);
/* A file below /etc; the caller frees. */
char *plugin_etc(const char *path);
/* The next line of a text, without its end; *text moves on. NULL = there is none. */
char *plugin_line(char **text);

/* machine.c */
struct error *plugin_echo(const json_t *args, struct str *out);
struct error *plugin_hyperthreading(const json_t *args, struct str *out);
/* disks.c */
struct error *plugin_block_devices(const json_t *args, struct str *out);
struct error *plugin_raid(const json_t *args, struct str *out);
struct error *plugin_health(const json_t *args, struct str *out);
struct error *plugin_disk_information(const json_t *args, struct str *out);
struct error *plugin_zfs_pools(const json_t *args, struct str *out);
/* ipmi.c */
struct error *plugin_has_ipmi(const json_t *args, struct str *out);
struct error *plugin_sensors(const json_t *args, struct str *out);
struct error *plugin_sensor(const json_t *args, struct str *out);
struct error *plugin_ipmi_lan(const json_t *args, struct str *out);
/* lvm.c */
struct error *plugin_physical_volumes(const json_t *args, struct str *out);
struct error *plugin_volume_groups(const json_t *args, struct str *out);
struct error *plugin_logical_volumes(const json_t *args, struct str *out);
struct error *plugin_create_physical_volume(const json_t *args, struct str *out);
struct error *plugin_create_volume_group(const json_t *args, struct str *out);
struct error *plugin_destroy_volume_group(const json_t *args, struct str *out);
struct error *plugin_create_thin_pool(const json_t *args, struct str *out);
/* services.c */
struct error *plugin_start_service(const json_t *args, struct str *out);
struct error *plugin_stop_service(const json_t *args, struct str *out);
struct error *plugin_restart_service(const json_t *args, struct str *out);
struct error *plugin_try_restart_service(const json_t *args, struct str *out);
struct error *plugin_has_netdata(const json_t *args, struct str *out);
struct error *plugin_netdata_key(const json_t *args, struct str *out);
struct error *plugin_install_netdata(const json_t *args, struct str *out);
struct error *plugin_no_flows(const json_t *args, struct str *out);
/* packages.c */
/* Installs packages with what they need, "name name"; with `upgrade` only newer versions of what is
 * there, of everything if there are no names. */
_must_check_ struct error *packages_install(const char *names, bool upgrade,
                                            struct plugin_end *ret);
struct error *plugin_update(const json_t *args, struct str *out);
struct error *plugin_install(const json_t *args, struct str *out);
struct error *plugin_set_proxies(const json_t *args, struct str *out);
struct error *plugin_updates(const json_t *args, struct str *out);
struct error *plugin_installed(const json_t *args, struct str *out);
struct error *plugin_proxies(const json_t *args, struct str *out);
