/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into a daemon: lets the N-th allocation, write, flush or change of a directory fail, or
 * kills the program there; or lets one of N of the calls that a signal can interrupt end with
 * EINTR, as they do when a program is stopped and goes on. A page of memory shared with the test
 * (tests/fault/page.py) tells what; XENOLITH_FAULT names its file, XENOLITH_FAULT_PROGRAM the one
 * program that takes part, so that the children of hostd do not.
 */
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

/* The layout is that of page.py. */
struct page {
    _Atomic uint32_t ops; /* 0 = nothing counts */
    int32_t failure;
    uint64_t nth;
    uint64_t last; /* the nth to the last one fail */
    _Atomic uint64_t count;
    _Atomic uint64_t fired;
    char where[128]; /* part of the file's path; for allocations, of the library's */
};

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static struct page *page;

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
    if (p != MAP_FAILED)
        page = p;
}

/* Counts; true: this one fails. */
static bool falls(void)
{
    uint64_t n = atomic_fetch_add(&page->count, 1) + 1;

    if (n < page->nth || n > page->last)
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
    Dl_info info;

    return page && (atomic_load(&page->ops) & ALLOCATE) && dladdr(caller, &info) &&
           info.dli_fname && strstr(info.dli_fname, page->where) && falls();
}

/* Our own code only: libraries make descriptors that do not block, where no signal interrupts.
 * Scattered, so that a loop does not meet it at the same call each time round. */
static bool interrupted(const void *caller)
{
    Dl_info info;

    if (!page || !(atomic_load(&page->ops) & INTERRUPT) || !dladdr(caller, &info) ||
        !info.dli_fname || !strstr(info.dli_fname, page->where))
        return false;
    uint64_t n = atomic_fetch_add(&page->count, 1) + 1;

    if ((n * 0x9e3779b97f4a7c15u >> 33) % page->nth)
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
