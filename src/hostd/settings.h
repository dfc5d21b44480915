/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Settings of the machine, changed by the tools of its service manager (hostnamectl, timedatectl,
 * systemctl), which do what this daemon may not. Every change is PERMISSION_DENIED unless the
 * daemon was told to manage the machine. Any thread; arguments are checked here.
 */

#include "base/arena.h"
#include "base/str.h"
#include "gen/types.h"
#include "hostd/machine.h"

_must_check_ struct error *settings_power(const struct machine *m, const char *action);
_must_check_ struct error *settings_hostname(const struct machine *m, const char *name);
_must_check_ struct error *settings_timezone(const struct machine *m, const char *name);
_must_check_ struct error *settings_clock(const struct machine *m, int64_t time);
_must_check_ struct error *settings_ntp(const struct machine *m, bool on,
                                        const struct set_string *servers);
_must_check_ struct error *settings_ssh(const struct machine *m, bool on);
_must_check_ struct error *settings_syslog(const struct machine *m, const char *destination);
_must_check_ struct error *settings_clear_dmesg(const struct machine *m);

/* Looking is for everybody. */
void settings_timezones(struct arena *a, struct set_string *ret);
const char *settings_current_timezone(struct arena *a);
bool settings_clock_is_right(void);
/* Name of the time server in use, "" if unknown. */
const char *settings_time_server(struct arena *a);
/* The end of the daemons' log. */
void settings_log(struct str *ret);
