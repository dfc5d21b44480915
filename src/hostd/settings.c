/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/settings.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"
#include "base/world.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define TOOL_TIME   (30 * SECOND_US)
#define NTP_DIR     "systemd/timesyncd.conf.d"
#define SYSLOG_DIR  "rsyslog.d"
#define ZONES_FILE  "/usr/share/zoneinfo/tzdata.zi"
#define ZONES_DIR   "/usr/share/zoneinfo/"
#define ZONES_MAX   (1u << 20)
#define NAME_MAX_   253
#define SERVERS_MAX 16
#define LOG_MAX     (256u << 10)

static struct error *check_may(const struct machine *m)
{
    if (m->manages_machine)
        return NULL;
    return error_api("PERMISSION_DENIED", 1,
                     "this host's daemons may not change the machine (xenolith-hostd "
                     "--manage-machine)");
}

/* A file of ours in a directory below /etc; text NULL = it goes. */
static struct error *write_setting(const char *dir, const char *text)
{
    const char *etc = "/etc";

#ifdef XENOLITH_TEST_HOOKS
    etc = getenv("XENOLITH_ETC") ?: etc;
#endif
    _cleanup_free_ char *path = xasprintf("%s/%s", etc, dir);
    _cleanup_free_ char *file = xasprintf("%s/xenolith.conf", path);

    if (!text)
        return io_unlink(file);
    TRY(io_mkdir_p(path, 0755));
    return io_write_file(file, text, strlen(text), 0644);
}

/* Words end with NULL. */
static struct error *tool(const char *program, const char *const *words)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, program);
    for (; *words; words++)
        spawn_add(&s, *words);
    return spawn_run(&s, TOOL_TIME, 0, NULL);
}

#define TOOL(program, ...) tool(program, (const char *const[]){__VA_ARGS__, NULL})

static bool is_host_name(const char *s, size_t max)
{
    size_t n = strlen(s);

    return n && n <= max && s[0] != '-' && s[0] != '.' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") == n;
}

struct error *settings_power(const struct machine *m, const char *action)
{
    if (!streq(action, "poweroff") && !streq(action, "reboot"))
        return error_api("INVALID_VALUE", 2, "action", action);
    TRY(check_may(m));
    return TOOL("systemctl", "--no-block", action);
}

struct error *settings_hostname(const struct machine *m, const char *name)
{
    if (!is_host_name(name, 64) || strpbrk(name, "_:"))
        return error_api("HOST_NAME_INVALID", 1,
                         "a name has letters, digits, dots and hyphens, at most 64");
    TRY(check_may(m));
    return TOOL("hostnamectl", "set-hostname", name);
}

/* ---- time */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lines "Z NAME ..." and "L TARGET NAME" of the compact form of the data. */
static const char *zone_of(struct arena *a, const char *line)
{
    if (line[0] != 'Z' && line[0] != 'L')
        return NULL;
    const char *name = line + 2;

    if (line[0] == 'L')
        name = strchr(name, ' ') ? strchr(name, ' ') + 1 : "";
    size_t n = strcspn(name, " \n");

    return n ? arena_memdup0(a, name, n) : NULL;
}

void settings_timezones(struct arena *a, struct set_string *ret)
{
    _cleanup_str_ struct str text = STR_INIT;
    size_t lines = 1, n = 0;

    *ret = (struct set_string){0};
    error_free(io_read_file(ZONES_FILE, ZONES_MAX, &text));
    for (size_t i = 0; i < text.len; i++)
        lines += text.s[i] == '\n';
    const char **v = arena_array(a, const char *, lines + 1);

    for (const char *p = str_cstr(&text); p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if ((p[0] == 'Z' || p[0] == 'L') && p[1] == ' ' && (v[n] = zone_of(a, p)))
            n++;
    if (!n)
        v[n++] = "UTC";
    qsort(v, n, sizeof(*v), by_name);
    *ret = (struct set_string){.n = n, .v = v};
}

const char *settings_current_timezone(struct arena *a)
{
    char *path = realpath("/etc/localtime", NULL);
    const char *name =
        path && str_starts(path, ZONES_DIR) ? arena_strdup(a, path + strlen(ZONES_DIR)) : "UTC";

    free(path);
    return streq(name, "Etc/UTC") ? "UTC" : name;
}

struct error *settings_timezone(const struct machine *m, const char *name)
{
    _cleanup_arena_ struct arena a;
    struct set_string zones;
    bool known = false;

    arena_init(&a);
    settings_timezones(&a, &zones);
    for (size_t i = 0; i < zones.n; i++)
        known = known || streq(zones.v[i], name);
    if (!known)
        return error_api("INVALID_VALUE", 2, "timezone", name);
    TRY(check_may(m));
    return TOOL("timedatectl", "set-timezone", name);
}

struct error *settings_clock(const struct machine *m, int64_t time)
{
    time_t t = (time_t)time;
    char text[64];
    struct tm tm;

    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
        return error_api("INVALID_VALUE", 2, "time", "no such time");
    TRY(check_may(m));
    return TOOL("timedatectl", "set-time", text);
}

static struct error *write_servers(const struct set_string *servers)
{
    _cleanup_str_ struct str text = STR_INIT;

    if (!servers->n)
        return write_setting(NTP_DIR, NULL);
    str_lit(&text, "# Written by xenolith-hostd.\n[Time]\nNTP=");
    for (size_t i = 0; i < servers->n; i++)
        str_printf(&text, "%s%s", i ? " " : "", servers->v[i]);
    str_add(&text, "\n");
    return write_setting(NTP_DIR, text.s);
}

struct error *settings_ntp(const struct machine *m, bool on, const struct set_string *servers)
{
    if (servers->n > SERVERS_MAX)
        return error_api("INVALID_NTP_CONFIG", 1, "too many servers");
    for (size_t i = 0; i < servers->n; i++)
        if (!is_host_name(servers->v[i], NAME_MAX_))
            return error_api("INVALID_NTP_CONFIG", 1, "a server is no name or address");
    TRY(check_may(m));
    TRY(write_servers(servers));
    TRY(TOOL("timedatectl", "set-ntp", on ? "true" : "false"));
    return on ? TOOL("systemctl", "try-restart", "systemd-timesyncd.service") : NULL;
}

bool settings_clock_is_right(void)
{
    return access("/run/systemd/timesync/synchronized", F_OK) == 0;
}

const char *settings_time_server(struct arena *a)
{
    _cleanup_str_ struct str out = STR_INIT;
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "timedatectl");
    spawn_add(&s, "show-timesync");
    spawn_add(&s, "--property=ServerName");
    spawn_add(&s, "--value");
    error_free(spawn_run(&s, TOOL_TIME, NAME_MAX_, &out));
    const char *text = str_cstr(&out);

    return arena_memdup0(a, text, strcspn(text, "\n"));
}

/* ---- services */

struct error *settings_ssh(const struct machine *m, bool on)
{
    TRY(check_may(m));
    return TOOL("systemctl", on ? "enable" : "disable", "--now", "ssh.service");
}

struct error *settings_syslog(const struct machine *m, const char *destination)
{
    if (*destination && !is_host_name(destination, NAME_MAX_))
        return error_api("INVALID_VALUE", 2, "syslog_destination", destination);
    TRY(check_may(m));
    _cleanup_free_ char *text = xasprintf("# Written by xenolith-hostd.\n*.* @%s\n", destination);

    TRY(write_setting(SYSLOG_DIR, *destination ? text : NULL));
    return TOOL("systemctl", "try-restart", "rsyslog.service");
}

/* ---- logs */

struct error *settings_clear_dmesg(const struct machine *m)
{
    TRY(check_may(m));
    return TOOL("dmesg", "--clear");
}

void settings_log(struct str *ret)
{
    _cleanup_spawn_ struct spawn s;

    /* Lines of a service stand in the journal; a daemon started by hand writes where its starter
     * said, and nobody else knows where. */
    spawn_init(&s, "journalctl");
    spawn_add(&s, "--no-pager");
    spawn_add(&s, "--quiet");
    spawn_add(&s, "--output=short-iso");
    spawn_add(&s, "--lines=2000");
    spawn_add(&s, "--unit=xenolithd.service");
    spawn_add(&s, "--unit=xenolith-hostd.service");
    error_free(spawn_run(&s, TOOL_TIME, LOG_MAX, ret));
}
