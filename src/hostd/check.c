/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/check.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/programs.h"
#include "base/spawn.h"
#include "base/world.h"
#include "sandbox/child.h"
#include "sandbox/privileges.h"

#include <linux/capability.h>
#include <sys/wait.h>

#define COULD_NOT_CHECK 2 /* its exit status, see xenolith-verify(8) */

/* One that was killed left its copy there. */
static struct error *empty_folder(const char *path)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "rm");
    spawn_add(&s, "-rf");
    spawn_add(&s, "--");
    spawn_add(&s, path);
    TRY(spawn_run(&s, CHECK_TIME_S * SECOND_US, 0, NULL));
    return io_mkdir_p(path, 0700);
}

/* run_dir may be a link to another file system. */
static void allow_to_look(const struct machine *m, const char *program, const char *folder,
                          const char *run_dir, struct child_confine *c)
{
    child_allow(c, program, LANDLOCK_RUN);
    child_allow(c, folder, LANDLOCK_CHANGE);
    child_allow(c, "/proc", LANDLOCK_READ);
    child_allow(c, m->state_dir, LANDLOCK_READ);
    child_allow(c, run_dir, LANDLOCK_READ);
    child_allow(c, m->api_state_dir, LANDLOCK_READ);
    for (size_t i = 0; i < m->n_disk_roots; i++)
        child_allow(c, m->roots[i], LANDLOCK_READ);
}

static struct error *run(struct machine *m, struct str *ret)
{
    /* The store is another user's. */
    struct child_confine confine = {.capabilities = CAPABILITY(CAP_DAC_OVERRIDE)};
    _cleanup_free_ char *folder = xasprintf("%s/verify", m->state_dir);
    _cleanup_free_ char *run_dir = xasprintf("%s/run", m->state_dir);
    _cleanup_str_ struct str err = STR_INIT;
    _cleanup_spawn_ struct spawn s;
    char program[PATH_MAX];
    int status;

    TRY(empty_folder(folder));
    program_find("../verify/xenolith-verify", XENOLITH_SBIN "/xenolith-verify", program);
    allow_to_look(m, program, folder, run_dir, &confine);
    spawn_init(&s, program);
    spawn_add(&s, "--state");
    spawn_add(&s, m->api_state_dir);
    spawn_add(&s, "--hostd-state");
    spawn_add(&s, m->state_dir);
    spawn_env(&s, "TMPDIR", folder);
    s.confine = child_confine;
    s.confine_arg = &confine;
    TRY(spawn_run_status(&s, CHECK_TIME_S * SECOND_US, CHECK_OUT_MAX, ret, &err, &status));
    if (!WIFEXITED(status) || WEXITSTATUS(status) >= COULD_NOT_CHECK)
        return error_text("xenolith-verify ended with status %d: %s", status, str_cstr(&err));
    return NULL;
}

struct error *check_run(struct machine *m, struct str *ret)
{
    struct error *e =
        atomic_fetch_add(&m->checks, 1) ? error_api("TOO_MANY_PENDING_TASKS", 0) : run(m, ret);

    atomic_fetch_sub(&m->checks, 1);
    return e;
}
