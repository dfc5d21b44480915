/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into a daemon: lets the N-th allocation, write, flush or change of a directory fail, or
 * kills the program there; or lets one of N of the calls that a signal can interrupt end with
 * EINTR, as they do when a program is stopped and goes on. Memory shared with the test
 * (tests/fault/page.py) tells what; XENOLITH_FAULT names its file, XENOLITH_FAULT_PROGRAM the one
 * program that takes part, so that the children of hostd do not.
 *
 * By place: not the N-th fails but the first from a place (place.h) that is not among those where
 * something failed before.
 */
#include "place.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ALLOCATE = 1, WRITE = 2, FLUSH = 4, CHANGE = 8, INTERRUPT = 16 };

#define KILL  (-1) /* instead of an errno */
#define SHORT 0    /* a write that takes only half */

#define SEEN 8192 /* powers of two */
#define DONE 65536

/* The layout is that of page.py. */
struct page {
    _Atomic uint32_t ops; /* 0 = nothing counts */
    int32_t failure;
    uint64_t nth;
    uint64_t last; /* the nth to the last one fail */
    _Atomic uint64_t count;
    _Atomic uint64_t fired;
    char where[128]; /* part of the file's path; for allocations, of the library's */
    /* By place, if not 0: so many passes of one place count as places of their own, those behind
     * them as the last one. */
    uint64_t passes;
    uint64_t only;        /* the one place that is to fail; 0 = any that is not done */
    _Atomic uint64_t met; /* where it failed first */
    struct place place;   /* that one */
    struct {
        _Atomic uint64_t place, passes;
    } seen[SEEN];                /* since the page was armed */
    _Atomic uint64_t done[DONE]; /* where something failed already */
};

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static struct page *page;
static _Thread_local bool looking; /* the walk through the stack may allocate the first time */

__attribute__((constructor)) static void join(void)
{
    const char *path = getenv("XENOLITH_FAULT"), *program = getenv("XENOLITH_FAULT_PROGRAM");

    if (!path || !program || strcmp(program, program_invocation_short_name) != 0)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *p =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    if (p == MAP_FAILED)
        return;
    place_init();
    struct place warm;

    place_here(&warm);
    page = p;
}

/* How often this place was passed, this time included. */
static uint64_t pass(uint64_t place)
{
    for (uint64_t i = 0; i < SEEN; i++) {
        uint64_t there = 0, at = (place + i) % SEEN;

        if (atomic_compare_exchange_strong(&page->seen[at].place, &there, place) || there == place)
            return atomic_fetch_add(&page->seen[at].passes, 1) + 1;
    }
    return 1;
}

/* True: it was not among those done; now it is. */
static bool add_done(uint64_t place)
{
    for (uint64_t i = 0; i < DONE; i++) {
        uint64_t there = 0;

        if (atomic_compare_exchange_strong(&page->done[(place + i) % DONE], &there, place))
            return true;
        if (there == place)
            return false;
    }
    return false;
}

static bool is_done(uint64_t place)
{
    for (uint64_t i = 0; i < DONE; i++) {
        uint64_t there = atomic_load(&page->done[(place + i) % DONE]);

        if (!there || there == place)
            return there;
    }
    return true;
}

/* As the test wants it: one place, from one on everything (page->last), or each once. */
static bool falls_here(bool each)
{
    struct place place;
    uint64_t none = 0;

    if (!each && atomic_load(&page->met))
        return page->last > page->nth;
    looking = true;
    place_here(&place);
    looking = false;
    uint64_t n = pass(place.number);

    place.number += (n < page->passes ? n : page->passes) - 1;
    place.number |= !place.number;
    if (page->only ? page->only != place.number : is_done(place.number))
        return false;
    if (atomic_compare_exchange_strong(&page->met, &none, place.number))
        page->place = place;
    else if (!each)
        return page->last > page->nth;
    return add_done(place.number) || page->only;
}

/* Counts; true: this one fails. */
static bool falls(void)
{
    uint64_t n = atomic_fetch_add(&page->count, 1) + 1;

    if (page->passes ? !falls_here(false) : n < page->nth || n > page->last)
        return false;
    atomic_fetch_add(&page->fired, 1);
    if (!atomic_load(
            &page->ops)) { /* the test stopped meanwhile: it saw this one or there is none */
        atomic_fetch_sub(&page->fired, 1);
        return false;
    }
    if (page->failure == KILL)
        syscall(SYS_kill, getpid(), SIGKILL);
    errno = page->failure;
    return true;
}

static bool hits_path(uint32_t op, const char *path)
{
    return page && (atomic_load(&page->ops) & op) && strstr(path, page->where) && falls();
}

static bool hits_fd(uint32_t op, int fd)
{
    char link[64], path[4096];

    if (!page || !(atomic_load(&page->ops) & op))
        return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlink, link, path, sizeof(path) - 1);

    if (n <= 0)
        return false;
    path[n] = 0;
    return hits_path(op, path);
}

/* An allocation belongs to the library that asks for it. */
static bool hits_allocation(const void *caller)
{
    return page && (atomic_load(&page->ops) & ALLOCATE) && !looking &&
           place_is_in(caller, page->where) && falls();
}

/* Our own code only: libraries make descriptors that do not block, where no signal interrupts.
 * Scattered, so that a loop does not meet it at the same call each time round. */
static bool interrupted(const void *caller)
{
    if (!page || !(atomic_load(&page->ops) & INTERRUPT) || !place_is_in(caller, page->where))
        return false;
    uint64_t n = atomic_fetch_add(&page->count, 1) + 1;

    if (page->passes ? !falls_here(true) : (n * 0x9e3779b97f4a7c15u >> 33) % page->nth)
        return false;
    atomic_fetch_add(&page->fired, 1);
    errno = EINTR;
    return true;
}

void *malloc(size_t n)
{
    if (hits_allocation(__builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    if (hits_allocation(__builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    if (hits_allocation(__builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
    if (hits_allocation(__builtin_return_address(0)) || (size && n > SIZE_MAX / size)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(p, n * size);
}

static size_t part(size_t n)
{
    return n > 1 ? n / 2 : n;
}

ssize_t write(int fd, const void *p, size_t n)
{
    if (interrupted(__builtin_return_address(0)))
        return -1;
    if (hits_fd(WRITE, fd)) {
        if (page->failure != SHORT)
            return -1;
        n = part(n);
    }
    return syscall(SYS_write, fd, p, n);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    if (interrupted(__builtin_return_address(0)))
        return -1;
    if (hits_fd(WRITE, fd)) {
        if (page->failure != SHORT)
            return -1;
        n = part(n);
    }
    return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    if (interrupted(__builtin_return_address(0)))
        return -1;
    if (hits_fd(WRITE, fd)) {
        if (page->failure != SHORT)
            return -1;
        n = 1;
    }
    return syscall(SYS_writev, fd, v, n);
}

/* The others that can be interrupted; nothing else happens to them. */
#define INTERRUPTIBLE(type, name, params, args)                                                    \
    type name params                                                                               \
    {                                                                                              \
        static type(*next) params;                                                                 \
                                                                                                   \
        if (!next)                                                                                 \
            *(void **)&next = dlsym(RTLD_NEXT, #name);                                             \
        return interrupted(__builtin_return_address(0)) ? (type)-1 : next args;                    \
    }

INTERRUPTIBLE(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
INTERRUPTIBLE(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
INTERRUPTIBLE(ssize_t, pread64, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at))
INTERRUPTIBLE(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
INTERRUPTIBLE(ssize_t, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
INTERRUPTIBLE(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
INTERRUPTIBLE(ssize_t, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
INTERRUPTIBLE(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
INTERRUPTIBLE(int, accept4, (int fd, __SOCKADDR_ARG a, socklen_t *len, int flags),
              (fd, a, len, flags))
INTERRUPTIBLE(int, poll, (struct pollfd * p, nfds_t n, int timeout), (p, n, timeout))
INTERRUPTIBLE(int, epoll_wait, (int fd, struct epoll_event *v, int n, int timeout),
              (fd, v, n, timeout))
INTERRUPTIBLE(int, epoll_pwait2,
              (int fd, struct epoll_event *v, int n, const struct timespec *t, const sigset_t *s),
              (fd, v, n, t, s))
INTERRUPTIBLE(pid_t, waitpid, (pid_t pid, int *status, int flags), (pid, status, flags))
INTERRUPTIBLE(int, flock, (int fd, int how), (fd, how))
INTERRUPTIBLE(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))

int fsync(int fd)
{
    return hits_fd(FLUSH, fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return hits_fd(FLUSH, fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off64_t size)
{
    return hits_fd(WRITE, fd) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

/* Each makes the system call that libc would: the sandbox of xenolithd knows those only. */
static bool hits_name(int dir, const char *name)
{
    /* A plain name lies in the directory the descriptor stands for. */
    return name[0] == '/' || dir == AT_FDCWD ? hits_path(CHANGE, name) : hits_fd(CHANGE, dir);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return hits_name(to_dir, to) ? -1 : (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int rename(const char *from, const char *to)
{
    return hits_path(CHANGE, to) ? -1 : (int)syscall(SYS_rename, from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    if (hits_name(to_dir, to))
        return -1;
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
    return hits_name(dir, name) ? -1 : (int)syscall(SYS_unlinkat, dir, name, flags);
}

int unlink(const char *name)
{
    return hits_path(CHANGE, name) ? -1 : (int)syscall(SYS_unlink, name);
}

int rmdir(const char *name)
{
    return hits_path(CHANGE, name) ? -1 : (int)syscall(SYS_rmdir, name);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
    return hits_name(dir, name) ? -1 : (int)syscall(SYS_mkdirat, dir, name, mode);
}

int mkdir(const char *name, mode_t mode)
{
    return hits_path(CHANGE, name) ? -1 : (int)syscall(SYS_mkdir, name, mode);
}

int symlinkat(const char *target, int dir, const char *name)
{
    return hits_name(dir, name) ? -1 : (int)syscall(SYS_symlinkat, target, dir, name);
}
