/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/sandbox.h"

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "sandbox/landlock.h"
#include "sandbox/privileges.h"
#include "sandbox/syscalls.h"

#include <limits.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define SOCKET_TYPE 0xf /* the bits of socket's second argument that are the type */

/* What libc, SQLite, OpenSSL and our own threads, sockets and files need. */
static const struct syscall_rule rules[] = {
    /* files */
    {"openat close read write pread64 pwrite64 readv writev lseek fstat newfstatat statx access "
     "faccessat2 readlink readlinkat getcwd getdents64 fcntl flock fsync fdatasync ftruncate "
     "rename unlink mkdir chmod fchmod fchown sendfile"},
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
    {"socket", {{0, UINT64_MAX, AF_UNIX}}},
    {"socket", {{0, UINT64_MAX, AF_INET}, {1, SOCKET_TYPE, SOCK_STREAM}}},
    {"socket", {{0, UINT64_MAX, AF_INET6}, {1, SOCKET_TYPE, SOCK_STREAM}}},
    {"bind listen accept4 connect getsockname getpeername sendto recvfrom sendmsg recvmsg shutdown "
     "setsockopt getsockopt"},
};

/* In addition, where the program may start itself again. */
static const struct syscall_rule exec_rules[] = {
    {"execve clone vfork kill wait4 waitid pidfd_open dup dup2 dup3 pipe2 socketpair setpgid "
     "setsid "
     "close_range mmap mprotect prctl arch_prctl set_tid_address prlimit64 capget capset seccomp "
     "landlock_create_ruleset landlock_add_rule landlock_restrict_self"},
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
};

/* The loader and its libraries, for a program that starts itself again. */
static const struct landlock_path exec_paths[] = {
    {"/lib64/ld-linux-x86-64.so.2", LANDLOCK_RUN},
    {"/lib/ld-linux-aarch64.so.1", LANDLOCK_RUN},
    {"/usr/lib", LANDLOCK_READ},
    {"/lib", LANDLOCK_READ},
    {"/usr/local/lib", LANDLOCK_READ},
    {"/etc/ld.so.cache", LANDLOCK_READ},
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

/* The directory of this program: what an upgrade puts in its place is another file there. */
static char *own_directory(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    path[n] = 0;
    slash = strrchr(path, '/');
    return slash && slash > path ? xmemdup0(path, (size_t)(slash - path)) : NULL;
}

static struct error *limit_files(const struct sandbox_options *o, int *ret_abi)
{
    _cleanup_free_ char *own = o->allow_exec_self ? own_directory() : NULL;
    struct VEC(struct landlock_path) paths = {0};

    for (size_t i = 0; i < ARRAY_SIZE(system_paths); i++)
        vec_add(&paths, system_paths[i]);
    for (size_t i = 0; o->allow_exec_self && i < ARRAY_SIZE(exec_paths); i++)
        vec_add(&paths, exec_paths[i]);
    vec_add(&paths, ((struct landlock_path){own, LANDLOCK_RUN}));
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
    struct syscall_rule all[ARRAY_SIZE(rules) + ARRAY_SIZE(exec_rules)];
    struct syscalls_spec spec = {
        .rules = all,
        .n = ARRAY_SIZE(rules),
        .absent = absent,
        .violation = asked_for("die") ? SYSCALLS_DIE
                     : o->tell        ? SYSCALLS_TELL
                                      : SYSCALLS_REFUSE,
    };

    memcpy(all, rules, sizeof(rules));
    memcpy(all + spec.n, exec_rules, sizeof(exec_rules));
    if (o->allow_exec_self)
        spec.n = ARRAY_SIZE(all);
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
