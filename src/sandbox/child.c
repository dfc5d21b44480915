/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/child.h"

#include "sandbox/privileges.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM_DIRS_MAX 24

/* What any program of the system needs to run. /etc is not among it. */
static const struct landlock_path system_paths[] = {
    {"/usr", LANDLOCK_RUN},
    {"/lib", LANDLOCK_RUN},
    {"/lib64", LANDLOCK_RUN},
    {"/etc/ld.so.cache", LANDLOCK_READ},
    {"/etc/localtime", LANDLOCK_READ},
    {"/etc/qemu", LANDLOCK_READ},
    {"/dev/null", LANDLOCK_USE},
    {"/dev/urandom", LANDLOCK_READ},
    {"/dev/kvm", LANDLOCK_USE},
    {"/proc/sys", LANDLOCK_READ},
    {"/proc/meminfo", LANDLOCK_READ},
    {"/sys/devices/system", LANDLOCK_READ},
    {"/sys/kernel/mm", LANDLOCK_READ},
};
/* Where names are looked up, for who has a network. */
static const struct landlock_path network_paths[] = {
    {"/etc/resolv.conf", LANDLOCK_READ},
    {"/run/systemd/resolve", LANDLOCK_READ},
};

void child_allow(struct child_confine *c, const char *path, enum landlock_access access)
{
    assert(c->n_paths < CHILD_PATHS_MAX);
    c->paths[c->n_paths++] = (struct landlock_path){path, access};
}

void child_allow_resolver(struct child_confine *c)
{
    static const char *const files[] = {"/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
                                        "/etc/gai.conf", "/etc/services"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        child_allow(c, files[i], LANDLOCK_READ);
}

/* Programs are found in PATH, which need not end below /usr. Of each directory its own copy. */
static size_t add_program_dirs(struct landlock_path *to, char names[][PATH_MAX], size_t max)
{
    const char *at = getenv("PATH");
    size_t n = 0;

    while (at && *at && n < max) {
        size_t len = strcspn(at, ":");

        if (*at == '/' && len < PATH_MAX) {
            memcpy(names[n], at, len);
            names[n][len] = 0;
            to[n] = (struct landlock_path){names[n], LANDLOCK_RUN};
            n++;
        }
        at += len + (at[len] == ':');
    }
    return n;
}

static void add_paths(struct landlock_spec *spec, struct landlock_path *all,
                      const struct landlock_path *more, size_t n)
{
    memcpy(all + spec->n_paths, more, n * sizeof(*more));
    spec->n_paths += n;
}

struct error *child_confine(void *arg)
{
    const struct child_confine *c = arg;
    char dirs[PROGRAM_DIRS_MAX][PATH_MAX];
    struct landlock_path all[CHILD_PATHS_MAX + PROGRAM_DIRS_MAX + ARRAY_SIZE(system_paths) +
                             ARRAY_SIZE(network_paths)];
    struct landlock_spec spec = {.paths = all, .any_tcp = c->network, .scoped = true};

    add_paths(&spec, all, system_paths, ARRAY_SIZE(system_paths));
    if (c->network)
        add_paths(&spec, all, network_paths, ARRAY_SIZE(network_paths));
    add_paths(&spec, all, c->paths, c->n_paths);
    spec.n_paths += add_program_dirs(all + spec.n_paths, dirs, PROGRAM_DIRS_MAX);
    TRY(privileges_keep(c->capabilities));
    TRY(privileges_no_new());
    return landlock_enter(&spec, NULL);
}
