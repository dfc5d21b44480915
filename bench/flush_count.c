/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into the daemons: counts their flushes in the file that XENOLITH_FLUSH_COUNT names, a
 * 64-bit number. On some machines a flush costs nothing, so its time says little; its number holds
 * everywhere. Programs the daemons start are not counted.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint64_t own;
static _Atomic uint64_t *count = &own;

__attribute__((constructor)) static void open_count(void)
{
    const char *path = getenv("XENOLITH_FLUSH_COUNT");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p != MAP_FAILED)
        count = p;
    close(fd);
}

static int counted(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

    atomic_fetch_add(count, 1);
    return real(fd);
}

int fsync(int fd)
{
    return counted("fsync", fd);
}

int fdatasync(int fd)
{
    return counted("fdatasync", fd);
}

int syncfs(int fd)
{
    return counted("syncfs", fd);
}
