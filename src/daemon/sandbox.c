/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/sandbox.h"

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "sandbox/landlock.h"
#include "sandbox/privileges.h"
#include "sandbox/syscalls.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define SOCKET_TYPE 0xf /* the bits of socket's second argument that are the type */

/* What libc, SQLite, OpenSSL and our own threads, sockets and files need. */
static const struct syscall_rule rules[] = {
    /* files */
    {"openat openat2 close read write pread64 pwrite64 readv writev lseek fstat newfstatat statx "
     "access "
     "faccessat2 readlink readlinkat getcwd getdents64 fcntl flock fsync fdatasync ftruncate "
     "rename renameat2 unlink mkdir chmod fchmod fchown sendfile"},
    /* memory, never writable and executable at once */
    {"mmap mprotect", {{2, PROT_EXEC, 0}}},
    {"munmap mremap madvise brk"},
    /* threads of this process, no other processes */
    {"clone", {{0, CLONE_THREAD, CLONE_THREAD}}},
    {"prctl", {{0, UINT64_MAX, PR_SET_NAME}}},
    {"prlimit64", {{2, UINT64_MAX, 0}}},
    {"futex set_robust_list rseq gettid getpid exit exit_group sched_yield sched_getaffinity "
     "sysinfo uname getuid geteuid getgid getegid"},
    /* signals of this process */
    {"rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait sigaltstack tgkill restart_syscall"},
    /* time and chance */
    {"clock_gettime clock_nanosleep gettimeofday time getrandom"},
    /* waiting */
    {"epoll_create1 epoll_ctl epoll_wait eventfd2 poll ppoll"},
    /* sockets: local ones, and streams over IP */
    {"socket socketpair", {{0, UINT64_MAX, AF_UNIX}}},
    {"socket", {{0, UINT64_MAX, AF_INET}, {1, SOCKET_TYPE, SOCK_STREAM}}},
    {"socket", {{0, UINT64_MAX, AF_INET6}, {1, SOCKET_TYPE, SOCK_STREAM}}},
    {"bind listen accept4 connect getsockname getpeername sendto recvfrom sendmsg recvmsg shutdown "
     "setsockopt getsockopt"},
};

/* clone3 hides its flags from the filter; libc then takes clone. */
static const char absent[] = "clone3";

static const struct landlock_path system_paths[] = {
    {"/etc/ssl/openssl.cnf", LANDLOCK_READ},
    {"/usr/lib/ssl", LANDLOCK_READ},
    {"/etc/localtime", LANDLOCK_READ},
    {"/usr/share/zoneinfo", LANDLOCK_READ},
    {"/dev/null", LANDLOCK_USE},
    {"/dev/urandom", LANDLOCK_READ},
    {"/sys/devices/system/cpu", LANDLOCK_READ},
    {"/proc/meminfo", LANDLOCK_READ},
    {"/proc/stat", LANDLOCK_READ},
    {"/proc/sys/kernel/random/boot_id", LANDLOCK_READ},
};

#ifdef XENOLITH_TEST_HOOKS
static bool asked_for(const char *what)
{
    const char *how = getenv("XENOLITH_SANDBOX");

    return how && streq(how, what);
}
#else
static bool asked_for(const char *what)
{
    return false;
}
#endif

static struct error *limit_files(const struct sandbox_options *o, int *ret_abi)
{
    struct VEC(struct landlock_path) paths = {0};

    for (size_t i = 0; i < ARRAY_SIZE(system_paths); i++)
        vec_add(&paths, system_paths[i]);
    vec_add(&paths, ((struct landlock_path){o->state_dir, LANDLOCK_CHANGE}));
    vec_add(&paths, ((struct landlock_path){o->web_dir, LANDLOCK_READ}));
    const struct landlock_spec spec = {
        .paths = paths.v,
        .n_paths = paths.n,
        .bind_ports = o->ports,
        .n_bind_ports = o->n_ports,
        .scoped = true,
    };
    struct error *e = landlock_enter(&spec, ret_abi);

    vec_fini(&paths);
    if (!e && !*ret_abi && geteuid() == 0)
        e = error_text("this kernel has no Landlock: as root, name a user to become with --user");
    return e;
}

static struct error *limit_calls(const struct sandbox_options *o, int *ret_n)
{
    const struct syscalls_spec spec = {
        .rules = rules,
        .n = ARRAY_SIZE(rules),
        .absent = absent,
        .violation = asked_for("die") ? SYSCALLS_DIE
                     : o->tell        ? SYSCALLS_TELL
                                      : SYSCALLS_REFUSE,
    };

    return syscalls_limit(&spec, ret_n);
}

struct error *sandbox_enter(const struct sandbox_options *o)
{
    int abi, calls;

    if (o->user)
        TRY(privileges_become(o->user));
    TRY(io_mkdir_p(o->state_dir, 0700));
    if (!syscalls_can_limit() || asked_for("off")) {
        log_warning("sandbox: none");
        return NULL;
    }
    TRY(privileges_keep(0));
    TRY(privileges_no_new());
    TRY(privileges_no_dump());
    TRY(limit_files(o, &abi));
    TRY(limit_calls(o, &calls));
    log_info("sandbox: no capabilities, %d kinds of system calls, %s (Landlock %d)", calls,
             !abi      ? "files not confined"
             : abi < 4 ? "files confined"
             : abi < 6 ? "files and TCP confined"
                       : "files, TCP and signals confined",
             abi);
    return NULL;
}
