/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenolith-cli: one command for one thin client. xenolithd has it started for each POST /cli, with
 * two descriptors: 3 leads to the client (first the arguments, as their length and bytes), 4 is a
 * connection to xenolithd whose calls count as the client's own. It can do nothing else: no file,
 * no further socket, no process.
 */
#include "base/mem.h"
#include "cli/run.h"
#include "cli/thin.h"
#include "cli/thin_wire.h"
#include "sandbox/privileges.h"
#include "sandbox/syscalls.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define CLIENT_FD 3
#define SERVER_FD 4
#define BODY_S    8
#define WRITE_S   60 /* a client that does not read */

static const struct syscall_rule rules[] = {
    {"read write readv writev recvfrom sendto poll ppoll close fstat newfstatat lseek"},
    {"mmap mprotect", {{2, PROT_EXEC, 0}}},
    {"munmap mremap madvise brk"},
    {"futex set_robust_list rseq gettid getpid exit exit_group sched_yield sysinfo"},
    {"rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack tgkill restart_syscall"},
    {"clock_gettime clock_nanosleep gettimeofday time getrandom"},
};

#ifdef XENOLITH_TEST_HOOKS
static enum syscalls_violation on_violation(void)
{
    const char *how = getenv("XENOLITH_SANDBOX");

    return how && streq(how, "die") ? SYSCALLS_DIE : SYSCALLS_REFUSE;
}
#else
static enum syscalls_violation on_violation(void)
{
    return SYSCALLS_REFUSE;
}
#endif

static void limit(int what, rlim_t most)
{
    const struct rlimit l = {most, most};

    setrlimit(what, &l);
}

/* Sanitizers need more memory and calls of their own. */
static struct error *confine(void)
{
    const struct syscalls_spec spec = {
        .rules = rules, .n = ARRAY_SIZE(rules), .violation = on_violation()};

    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, 300);
    if (!syscalls_can_limit())
        return NULL;
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_AS, 2ul << 30);
    TRY(privileges_no_new());
    return syscalls_limit(&spec, NULL);
}

static struct error *read_request(struct thin *t, struct thin_request *ret)
{
    uint32_t n;

    TRY(thin_read(t, &n, sizeof(n), BODY_S));
    if (n > THIN_MAX_BODY)
        return error_text("the arguments are too long");
    _cleanup_free_ char *body = xmalloc(n + 1);

    TRY(thin_read(t, body, n, BODY_S));
    return thin_read_request(body, n, ret);
}

static void set(char **to, const struct words *w, const char *key)
{
    *to = xstrdup(words_get(w, key, ""));
}

/* Whoever asks is among the words. */
static void read_account(struct options *o, const struct thin_request *r)
{
    struct words w = {0};

    if (r->args.n)
        IGNORE_ERROR(words_parse(&w, r->args.v + 1, r->args.n - 1));
    set(&o->user, &w, "username");
    set(&o->password, &w, "password");
    words_fini(&w);
}

static int serve(struct thin *t)
{
    _cleanup_(options_fini) struct options options = {.only_channel = true};
    _cleanup_(thin_request_fini) struct thin_request request = {0};
    /* A client hears what is wrong with its arguments only after the greetings. */
    _cleanup_error_ struct error *bad = read_request(t, &request);
    _cleanup_error_ struct error *e = thin_greet(t);
    struct xe x;

    if (e || bad)
        return failure_tell(&t->front, NULL, e ? e : bad);
    read_account(&options, &request);
    xe_init(&x, &options, &t->front);
    x.client.session = TAKE_PTR(request.session);
    x.client.keeps_session = x.client.session;
    x.client.http.channel = channel_of(SERVER_FD, CLIENT_FD);
    t->client = &x.client;
    return xe_run(&x, request.args.v, request.args.n);
}

int main(void)
{
    const struct timeval patience = {.tv_sec = WRITE_S};
    struct thin t;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a line for a log that is a file is lost, and that is all */
    setsockopt(CLIENT_FD, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    json_object_seed(0); /* what libraries open once, while they can */
    tzset();
    struct error *e = confine();

    if (e) {
        error_free(e);
        return 1;
    }
    thin_init(&t, CLIENT_FD);
    int code = serve(&t);

    t.client = NULL;
    thin_exit(&t, code);
    return code;
}
