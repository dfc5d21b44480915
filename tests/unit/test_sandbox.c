/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What xenolithd cannot do any more once it is in its sandbox, tried in children that enter it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/sandbox.h"
#include "lib/namespace.h"
#include "sandbox/landlock.h"
#include "sandbox/privileges.h"
#include "sandbox/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ALLOWED 0 /* what a try gives back, else an errno */

static pid_t parent;     /* of the tries */
static char dir[64];     /* the state directory */
static char outside[80]; /* a file of our own beside it */

static int result(long r)
{
    return r < 0 ? errno : ALLOWED;
}

static int try_open(const char *path, int flags)
{
    _cleanup_close_ int fd = open(path, flags | O_CLOEXEC, 0600);

    return result(fd);
}

static const char *in_state(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* ---- the tries, each in a child of its own ---- */

static int own_file(void)
{
    return try_open(in_state("store.db"), O_RDWR | O_CREAT);
}

static int own_rename(void)
{
    int r = try_open(in_state("a"), O_WRONLY | O_CREAT);
    _cleanup_free_ char *to = xstrdup(in_state("b"));

    return r ? r : result(rename(in_state("a"), to));
}

static int own_socket(void)
{
    _cleanup_close_ int fd = -1;
    struct error *e = io_listen_unix(in_state("xapi"), SOCK_STREAM, 0600, &fd);
    int r = e ? e->errnum : ALLOWED;

    error_free(e);
    return r;
}

static int shadow(void)
{
    return try_open("/etc/shadow", O_RDONLY);
}

static int file_outside(void)
{
    return try_open(outside, O_RDONLY);
}

static int make_outside(void)
{
    return try_open("/tmp/xenolith-sandbox-made", O_WRONLY | O_CREAT);
}

static int up_and_out(void)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/../%s", dir, strrchr(outside, '/') + 1);
    return try_open(path, O_RDONLY);
}

static int link_out(void)
{
    return try_open(in_state("link"), O_RDONLY);
}

static int other_memory(void)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)parent);
    return try_open(path, O_RDWR);
}

static int exec_shell(void)
{
    char *argv[] = {(char[]){"true"}, NULL};

    execv("/bin/true", argv);
    return errno;
}

static int new_process(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid == 0)
        _exit(0);
    return result(pid);
}

static int trace_parent(void)
{
    return result(ptrace(PTRACE_ATTACH, parent, NULL, NULL));
}

static int signal_parent(void)
{
    return result(kill(parent, 0));
}

static int raw_socket(void)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

    return result(fd);
}

static int packet_socket(void)
{
    _cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    return result(fd);
}

static int datagram_socket(void)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return result(fd);
}

static int bind_port(uint16_t port)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};

    return result(bind(fd, (const struct sockaddr *)&at, sizeof(at)));
}

static int own_port(void)
{
    return bind_port(0);
}

static int other_port(void)
{
    return bind_port(4022);
}

static int connect_out(void)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(1)};

    return result(connect(fd, (const struct sockaddr *)&to, sizeof(to)));
}

static int new_namespace(void)
{
    return result(unshare(CLONE_NEWUSER));
}

static int code_in_memory(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : ALLOWED;
}

static void *nothing(void *arg)
{
    return arg;
}

static int thread(void)
{
    pthread_t t;
    int r = pthread_create(&t, NULL, nothing, NULL);

    return r ? r : pthread_join(t, NULL);
}

static int dumpable(void)
{
    return prctl(PR_GET_DUMPABLE) == 1 ? ALLOWED : EPERM;
}

static const struct attempt {
    const char *what;
    int (*run)(void);
    int expected;
    int abi; /* of Landlock, from which the kernel refuses it */
} attempts[] = {
    {"open a file of the state directory", own_file, ALLOWED, 0},
    {"rename in the state directory", own_rename, ALLOWED, 0},
    {"listen on a socket there", own_socket, ALLOWED, 0},
    {"listen on its port", own_port, ALLOWED, 0},
    {"start a thread", thread, ALLOWED, 0},
    {"open /etc/shadow", shadow, EACCES, 1},
    {"open a file outside", file_outside, EACCES, 1},
    {"make a file outside", make_outside, EACCES, 1},
    {"leave by ..", up_and_out, EACCES, 1},
    {"follow a link out", link_out, EACCES, 1},
    {"open the memory of another process", other_memory, EACCES, 1},
    {"listen on another port", other_port, EACCES, 4},
    {"connect to the network", connect_out, EACCES, 4},
    {"start a program", exec_shell, EPERM, 0},
    {"make a process", new_process, EPERM, 0},
    {"trace another process", trace_parent, EPERM, 0},
    {"signal another process", signal_parent, EPERM, 0},
    {"make a raw socket", raw_socket, EPERM, 0},
    {"make a packet socket", packet_socket, EPERM, 0},
    {"make a datagram socket", datagram_socket, EPERM, 0},
    {"make a namespace", new_namespace, EPERM, 0},
    {"make memory writable and executable", code_in_memory, EPERM, 0},
    {"be traced", dumpable, EPERM, 0},
};

/* ---- running them ---- */

static struct sandbox_options options(const uint16_t *ports)
{
    return (struct sandbox_options){.state_dir = dir, .ports = ports, .n_ports = 1};
}

/* What the try said; 255 = the sandbox could not be entered. */
static int run_inside(int (*run)(void))
{
    static const uint16_t ports[] = {0};
    int status;

    pid_t pid = fork();

    if (pid == 0) {
        struct sandbox_options o = options(ports);

        struct error *e = sandbox_enter(&o);

        log_and_free(LOG_ERROR, e, "sandbox");
        _exit(e ? 255 : run());
    }
    assert_return_code(pid, errno);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void test_sandbox(void **state)
{
    int abi = landlock_abi();

    for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
        const struct attempt *a = &attempts[i];

        if (a->abi > abi) {
            print_message("not checked, this kernel has Landlock %d: %s\n", abi, a->what);
            continue;
        }
        int got = run_inside(a->run);

        if (got != a->expected)
            fail_msg("%s: %d (%s), not %d (%s)", a->what, got, strerror(got), a->expected,
                     strerror(a->expected));
    }
}

/* 0: all have gone; 2: there was nothing to give up. */
static int bounding_set(void)
{
    if (!namespace_be_root())
        return 2;
    struct error *e = privileges_keep(0);

    error_free(e);
    return e || prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) || prctl(PR_CAPBSET_READ, CAP_NET_RAW);
}

static void test_no_capability_is_left(void **state)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(bounding_set());
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) {
        print_message("this machine lets nobody make namespaces\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int not_our_user(void)
{
    struct error *e = privileges_become("nobody");
    int r = e ? e->errnum : 0;

    error_free(e);
    return r ? r : (int)(getuid() == 0 || setuid(0) == 0 || access("/etc/shadow", R_OK) == 0);
}

static void test_another_user(void **state)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(not_our_user());
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), geteuid() == 0 ? 0 : EPERM);
}

static void test_unknown_user(void **state)
{
    _cleanup_error_ struct error *e = privileges_become("no such user");

    assert_int_equal(e->errnum, ENOENT);
}

/* A refused call ends the process in the mode that tests use. */
static void test_dying(void **state)
{
    setenv("XENOLITH_SANDBOX", "die", 1);
    assert_int_equal(run_inside(raw_socket), 159);
    assert_int_equal(run_inside(own_file), ALLOWED);
    unsetenv("XENOLITH_SANDBOX");
}

static int set_up(void **state)
{
    parent = getpid();
    log_set_level(LOG_ERROR);
    snprintf(dir, sizeof(dir), "/tmp/xenolith-sandbox-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(outside, sizeof(outside), "%s.outside", dir);
    struct error *e = io_write_file(outside, "x", 1, 0644);

    log_and_free(LOG_ERROR, e, "set up");
    return symlink(outside, in_state("link"));
}

static int tear_down(void **state)
{
    static const char *const names[] = {"store.db", "a", "b", "xapi", "link"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unlink(in_state(names[i]));
    unlink(outside);
    return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_no_capability_is_left),
        T(test_another_user),
        T(test_unknown_user),
        /* Sanitizers make calls of their own: builds with them confine none. */
        T(test_sandbox),
        T(test_dying),
    };
    size_t n = ARRAY_SIZE(tests) - (syscalls_can_limit() ? 0 : 2);

    return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}
