/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies of the calls about the machine's own settings and about programs of its administrator. */
#include "base/utf8.h"
#include "gen/host_proto.h"
#include "hostd/check.h"
#include "hostd/machine.h"
#include "hostd/plugins.h"
#include "hostd/settings.h"
#include "proto/server.h"

/* What a program wrote is not bound to be text; what is not becomes question marks. */
static const char *as_text(struct arena *a, const struct str *s)
{
    char *text = arena_memdup0(a, str_cstr(s), s->len);

    for (size_t i = 0; i < s->len; i++)
        if (!text[i])
            text[i] = '?';
    utf8_clean(text);
    return text;
}

struct error *host_plugin_run(struct host_call *c, const struct host_plugin_run_args *a,
                              struct host_plugin_run_result *ret)
{
    const struct plugin_run run = {
        .kind = a->kind, .name = a->name, .argument = a->argument, .input = a->input};
    _cleanup_str_ struct str out = STR_INIT, err = STR_INIT;
    int status;

    TRY(plugin_run(host_call_ctx(c), &run, &out, &err, &status));
    *ret = (struct host_plugin_run_result){.status = status,
                                           .out = as_text(host_call_arena(c), &out),
                                           .err = as_text(host_call_arena(c), &err)};
    return NULL;
}

struct error *host_plugin_exists(struct host_call *c, const struct host_plugin_exists_args *a,
                                 struct host_plugin_exists_result *ret)
{
    ret->found = plugin_exists(host_call_ctx(c), a->kind, a->name);
    return NULL;
}

struct error *host_machine_log(struct host_call *c, const struct host_machine_log_args *a,
                               struct host_machine_log_result *ret)
{
    _cleanup_str_ struct str text = STR_INIT;

    settings_log(&text);
    ret->text = as_text(host_call_arena(c), &text);
    return NULL;
}

struct error *host_machine_verify(struct host_call *c, const struct host_machine_verify_args *a,
                                  struct host_machine_verify_result *ret)
{
    _cleanup_str_ struct str text = STR_INIT;

    TRY(check_run(host_call_ctx(c), &text));
    ret->text = as_text(host_call_arena(c), &text);
    return NULL;
}

struct error *host_machine_clear_dmesg(struct host_call *c,
                                       const struct host_machine_clear_dmesg_args *a,
                                       struct host_machine_clear_dmesg_result *ret)
{
    return settings_clear_dmesg(host_call_ctx(c));
}

struct error *host_machine_power(struct host_call *c, const struct host_machine_power_args *a,
                                 struct host_machine_power_result *ret)
{
    return settings_power(host_call_ctx(c), a->action);
}

struct error *host_machine_set_hostname(struct host_call *c,
                                        const struct host_machine_set_hostname_args *a,
                                        struct host_machine_set_hostname_result *ret)
{
    return settings_hostname(host_call_ctx(c), a->name);
}

struct error *host_machine_timezones(struct host_call *c,
                                     const struct host_machine_timezones_args *a,
                                     struct host_machine_timezones_result *ret)
{
    settings_timezones(host_call_arena(c), &ret->names);
    return NULL;
}

struct error *host_machine_set_timezone(struct host_call *c,
                                        const struct host_machine_set_timezone_args *a,
                                        struct host_machine_set_timezone_result *ret)
{
    return settings_timezone(host_call_ctx(c), a->name);
}

struct error *host_machine_set_clock(struct host_call *c,
                                     const struct host_machine_set_clock_args *a,
                                     struct host_machine_set_clock_result *ret)
{
    return settings_clock(host_call_ctx(c), a->time);
}

struct error *host_machine_set_ntp(struct host_call *c, const struct host_machine_set_ntp_args *a,
                                   struct host_machine_set_ntp_result *ret)
{
    return settings_ntp(host_call_ctx(c), a->on, &a->servers);
}

struct error *host_machine_ntp(struct host_call *c, const struct host_machine_ntp_args *a,
                               struct host_machine_ntp_result *ret)
{
    ret->synchronized = settings_clock_is_right();
    ret->server = settings_time_server(host_call_arena(c));
    return NULL;
}

struct error *host_machine_set_ssh(struct host_call *c, const struct host_machine_set_ssh_args *a,
                                   struct host_machine_set_ssh_result *ret)
{
    return settings_ssh(host_call_ctx(c), a->on);
}

struct error *host_machine_set_syslog(struct host_call *c,
                                      const struct host_machine_set_syslog_args *a,
                                      struct host_machine_set_syslog_result *ret)
{
    return settings_syslog(host_call_ctx(c), a->destination);
}
