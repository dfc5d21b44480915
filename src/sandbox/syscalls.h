/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A list of the system calls a program may make (seccomp). For the calling thread and all it starts
 * from then on; needs privileges_no_new().
 */

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Argument `arg` (from 0), masked, must be the value. mask 0 = any. */
struct syscall_check {
    int arg;
    uint64_t mask;
    uint64_t value;
};

/* Names unknown to this machine's kernel interface are left out. */
struct syscall_rule {
    const char *names; /* separated by spaces */
    struct syscall_check check[2];
};

/* What happens to the others. */
enum syscalls_violation {
    SYSCALLS_REFUSE, /* EPERM */
    SYSCALLS_TELL,   /* EPERM, and a line on standard error */
    SYSCALLS_DIE,    /* a line, and the process ends with status 159 (for tests) */
};

struct syscalls_spec {
    const struct syscall_rule *rules; /* several of one name: any of them */
    size_t n;
    const char *absent; /* names answered with ENOSYS, so that libc takes others */
    enum syscalls_violation violation;
};

/* False in builds with sanitizers, whose run-time makes calls of its own. */
bool syscalls_can_limit(void);

/* *ret_n (may be NULL): how many calls are left. */
_must_check_ struct error *syscalls_limit(const struct syscalls_spec *spec, int *ret_n);
/* The other way round, for programs that need much: all calls but the names listed, which are
 * refused with EPERM. */
_must_check_ struct error *syscalls_deny(const char *names);
