/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/syscalls.h"

#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

#define STATUS_DIE 159 /* 128 + SIGSYS, as a shell would say it */

static enum syscalls_violation violation;

bool syscalls_can_limit(void)
{
    return !SANITIZED;
}

/* Decimal digits without libc: this runs in a signal handler. */
static size_t put_number(char *at, int n)
{
    char digits[12];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + n % 10);
    while (n /= 10);
    for (size_t i = 0; i < len; i++)
        at[i] = digits[len - 1 - i];
    return len;
}

static void set_result(ucontext_t *u, long value)
{
#if defined(__x86_64__)
    u->uc_mcontext.gregs[REG_RAX] = value;
#elif defined(__aarch64__)
    u->uc_mcontext.regs[0] = (unsigned long)value;
#endif
}

static void on_violation(int sig, siginfo_t *info, void *context)
{
    static const char text[] = "sandbox: refused system call ";
    char line[sizeof(text) + 16];
    size_t n = sizeof(text) - 1;

    memcpy(line, text, n);
    n += put_number(line + n, info->si_syscall);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0 || violation == SYSCALLS_DIE)
        _exit(STATUS_DIE);
    set_result(context, -EPERM);
}

static struct error *failed(int r, const char *what)
{
    return error_errno(-r, "cannot %s", what);
}

/* One more name of the list at *at into buf; false = no more. */
static bool next_name(const char **at, char *buf, size_t size)
{
    size_t n;

    *at += strspn(*at, " ");
    n = strcspn(*at, " ");
    assert(n < size);
    memcpy(buf, *at, n);
    buf[n] = 0;
    *at += n;
    return n > 0;
}

static struct error *add(scmp_filter_ctx ctx, uint32_t action, const struct syscall_rule *rule,
                         int *n)
{
    struct scmp_arg_cmp cmp[2];
    unsigned n_cmp = 0;
    char name[32];

    for (int i = 0; i < 2; i++) {
        const struct syscall_check *c = &rule->check[i];

        if (c->mask)
            cmp[n_cmp++] = (struct scmp_arg_cmp){.arg = (unsigned)c->arg,
                                                 .op = SCMP_CMP_MASKED_EQ,
                                                 .datum_a = c->mask,
                                                 .datum_b = c->value};
    }
    for (const char *at = rule->names; next_name(&at, name, sizeof(name)); *n += 1) {
        int nr = seccomp_syscall_resolve_name(name);
        int r = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(ctx, action, nr, n_cmp, cmp);

        if (r && r != -EDOM)
            return failed(r, name);
    }
    return NULL;
}

static struct error *fill(scmp_filter_ctx ctx, const struct syscalls_spec *spec, int *n)
{
    const struct syscall_rule absent = {.names = spec->absent ? spec->absent : ""};
    int n_absent = 0;

    for (size_t i = 0; i < spec->n; i++)
        TRY(add(ctx, SCMP_ACT_ALLOW, &spec->rules[i], n));
    TRY(add(ctx, SCMP_ACT_ERRNO(ENOSYS), &absent, &n_absent));
    int r = seccomp_load(ctx);

    return r ? failed(r, "limit system calls") : NULL;
}

struct error *syscalls_limit(const struct syscalls_spec *spec, int *ret_n)
{
    uint32_t other = spec->violation == SYSCALLS_REFUSE ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_TRAP;
    struct sigaction sa = {.sa_sigaction = on_violation, .sa_flags = SA_SIGINFO};
    int n = 0;

    violation = spec->violation;
    if (other == SCMP_ACT_TRAP && sigaction(SIGSYS, &sa, NULL) < 0)
        return error_errno(errno, "cannot watch for refused system calls");
    scmp_filter_ctx ctx = seccomp_init(other);

    if (!ctx)
        return error_errno(ENOMEM, "cannot make a list of system calls");
    struct error *e = fill(ctx, spec, &n);

    seccomp_release(ctx);
    if (!e && ret_n)
        *ret_n = n;
    return e;
}

struct error *syscalls_deny(const char *names)
{
    const struct syscall_rule denied = {.names = names};
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int n = 0;

    if (!ctx)
        return error_errno(ENOMEM, "cannot make a list of system calls");
    struct error *e = add(ctx, SCMP_ACT_ERRNO(EPERM), &denied, &n);
    int r = e ? 0 : seccomp_load(ctx);

    seccomp_release(ctx);
    return r ? failed(r, "deny system calls") : e;
}
