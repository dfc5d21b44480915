/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/plugins.h"

#include "base/io.h"
#include "base/limit.h"
#include "base/mem.h"
#include "base/programs.h"
#include "base/spawn.h"
#include "base/world.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SYSTEM_DIR "/etc/xapi.d"

/* Whoever could write it could run anything with it. */
static bool may_run(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0100) &&
           (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* One that comes with this product. */
static char *find_own(const char *name)
{
    _cleanup_free_ char *built = xasprintf("../plugins/%s", name);
    _cleanup_free_ char *installed = xasprintf(XENOLITH_LIBEXEC "/plugins/%s", name);
    char path[PATH_MAX];

    program_find(built, installed, path);
    return may_run(path) ? xstrdup(path) : NULL;
}

/* NULL = none; the caller frees it. */
static char *find(const struct machine *m, const char *kind, const char *name)
{
    const char *const places[] = {m->state_dir, SYSTEM_DIR};

    if (!io_is_file_name(name) || (!streq(kind, "plugins") && !streq(kind, "extensions")))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s/%s", places[i], kind, name);

        if (may_run(path))
            return TAKE_PTR(path);
    }
    return streq(kind, "plugins") ? find_own(name) : NULL;
}

bool plugin_exists(const struct machine *m, const char *kind, const char *name)
{
    _cleanup_free_ char *path = find(m, kind, name);

    return path != NULL;
}

/*
 * On a machine it manages this daemon has given up most of what a plugin may need (devices, the
 * package manager): the service manager runs the plugin beside it.
 */
static void prepare(const struct machine *m, struct spawn *s, const char *path)
{
    static const char *const options[] = {"--pipe", "--wait", "--collect", "--quiet",
                                          "--setenv=XENOLITH_MANAGE_MACHINE=1"};

    spawn_init(s, m->manages_machine ? "systemd-run" : path);
    for (size_t i = 0; m->manages_machine && i < ARRAY_SIZE(options); i++)
        spawn_add(s, options[i]);
    if (m->manages_machine)
        spawn_add(s, path);
}

static struct error *run_at(struct machine *m, const char *path, const struct plugin_run *run,
                            struct str *ret_out, struct str *ret_err, int *ret_status)
{
    _cleanup_close_ int input = -1;
    _cleanup_spawn_ struct spawn s;
    int status;

    TRY(spawn_input(run->input, strlen(run->input), &input));
    prepare(m, &s, path);
    spawn_add(&s, run->argument);
    s.stdin_fd = input;
    TRY(spawn_run_status(&s, limit_of("XENOLITH_PLUGIN_US", PLUGIN_TIME_S * SECOND_US),
                         PLUGIN_OUT_MAX, ret_out, ret_err, &status));
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
    return NULL;
}

struct error *plugin_run(struct machine *m, const struct plugin_run *run, struct str *ret_out,
                         struct str *ret_err, int *ret_status)
{
    _cleanup_free_ char *path = find(m, run->kind, run->name);

    if (!path)
        return error_api("XENAPI_MISSING_PLUGIN", 1, run->name);
    struct error *e = atomic_fetch_add(&m->plugins, 1) < PLUGINS_MAX
                          ? run_at(m, path, run, ret_out, ret_err, ret_status)
                          : error_api("TOO_MANY_PENDING_TASKS", 0);

    atomic_fetch_sub(&m->plugins, 1);
    return e;
}
