/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chance, clocks and the order of directories: what differs from run to run outside. */
#include "simulation/world.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "base/world.h"
#include "simulation/sched.h"
#include "simulation/threads.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/types.h>

static struct chance *chance;

static int64_t wall(void)
{
    return SIM_EPOCH_US + sched_now_us();
}

static int64_t mono(void)
{
    return SIM_MONO_US + sched_now_us();
}

static void fill(void *p, size_t n)
{
    unsigned char *at = p;

    for (size_t i = 0; i < n; i++)
        at[i] = (unsigned char)chance_next(chance);
}

static const struct world simulated = {.now_us = wall, .mono_us = mono, .random = fill};

void world_install(struct chance *c)
{
    chance = c;
    world = &simulated;
}

/* Also before main: the key of the hash tables, which decides the order in which they are walked.
 */
ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags)
{
    memset(p, 0x5a, n);
    return (ssize_t)n;
}

/* One process is both daemons, in all their lives. */
int __wrap_flock(int fd, int op)
{
    return 0;
}

int __wrap_fstatvfs64(int fd, struct statvfs *ret)
{
    *ret = (struct statvfs){.f_bsize = 4096,
                            .f_frsize = 4096,
                            .f_blocks = 1 << 24,
                            .f_bfree = 1 << 23,
                            .f_bavail = 1 << 23};
    return 0;
}

int __wrap_statvfs64(const char *path, struct statvfs *ret)
{
    return __wrap_fstatvfs64(-1, ret);
}

/* Where this run lies has the same name in every run: paths end up in rows and answers. */
#define HERE "/proc/self/cwd"

char *__real_realpath(const char *path, char *resolved);

char *__wrap_realpath(const char *path, char *resolved)
{
    char here[PATH_MAX], found[PATH_MAX];
    size_t n;

    if (!__real_realpath(path, found) || !getcwd(here, sizeof(here)))
        return NULL;
    n = strlen(here);
    bool below = !strncmp(found, here, n) && (!found[n] || found[n] == '/');
    char *text = below ? xasprintf(HERE "%s", found + n) : xstrdup(found);

    if (!resolved)
        return text;
    snprintf(resolved, PATH_MAX, "%s", text);
    free(text);
    return resolved;
}

/* ---- directories in the order of their names ---- */

struct sorted {
    struct VEC(struct dirent *) entries;
    size_t next;
};

DIR *__real_opendir(const char *path);
DIR *__real_fdopendir(int fd);
struct dirent *__real_readdir64(DIR *dir);
int __real_closedir(DIR *dir);

static int by_name(const void *a, const void *b)
{
    const struct dirent *const *x = a, *const *y = b;

    return strcmp((*x)->d_name, (*y)->d_name);
}

static DIR *sorted_dir(DIR *dir)
{
    struct sorted *s;
    const struct dirent *e;

    if (!dir)
        return NULL;
    s = xnew(struct sorted);
    while ((e = __real_readdir64(dir))) {
        struct dirent *copy = xmalloc(sizeof(*e));

        memcpy(copy, e, e->d_reclen);
        vec_add(&s->entries, copy);
    }
    __real_closedir(dir);
    if (s->entries.n)
        qsort(s->entries.v, s->entries.n, sizeof(*s->entries.v), by_name);
    return (DIR *)(void *)s;
}

DIR *__wrap_opendir(const char *path)
{
    return sorted_dir(__real_opendir(path));
}

DIR *__wrap_fdopendir(int fd)
{
    return sorted_dir(__real_fdopendir(fd));
}

struct dirent *__wrap_readdir64(DIR *dir)
{
    struct sorted *s = (struct sorted *)(void *)dir;

    return s->next < s->entries.n ? s->entries.v[s->next++] : NULL;
}

int __wrap_closedir(DIR *dir)
{
    struct sorted *s = (struct sorted *)(void *)dir;

    vec_foreach (e, &s->entries)
        free(*e);
    vec_fini(&s->entries);
    free(s);
    return 0;
}
