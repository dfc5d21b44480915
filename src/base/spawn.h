/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The one place where child programs start: argument vectors, never a shell, through posix_spawn
 * (a fork of a large daemon costs milliseconds). Children get a fresh process group, default
 * signals, /dev/null as standard input unless given and no descriptors but those listed.
 *
 * Set-up errors are sticky: spawn_add and friends never fail, the first problem is reported by
 * spawn_start or spawn_run.
 */

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"

#include <sys/types.h>

struct spawn_fd {
    int ours;   /* descriptor in this process */
    int theirs; /* number in the child */
};

struct spawn {
    const char *file; /* the program, where its name in argv should be another; NULL = argv[0] */
    struct VEC(char *) argv;
    struct VEC(char *) env; /* additions "K=V" to a minimal environment */
    struct VEC(struct spawn_fd) fds;
    int stdin_fd;  /* -1: /dev/null */
    int stdout_fd; /* -1: /dev/null (spawn_start) or captured (spawn_run) */
    int stderr_fd;
    bool session; /* a session of its own: outlives the terminal this program was started from */
    /* Called in a thread of its own that then starts the child: what the kernel keeps per thread
     * (capabilities, Landlock, system calls) it gives up there alone. NULL = nothing. */
    struct error *(*confine)(void *arg);
    void *confine_arg;
};

void spawn_init(struct spawn *s, const char *program); /* looked up in PATH */
void spawn_fini(struct spawn *s);
void spawn_add(struct spawn *s, const char *arg);
void spawn_addf(struct spawn *s, const char *fmt, ...) _printf_(2, 3);
void spawn_env(struct spawn *s, const char *key, const char *value);
/* The child sees descriptor `ours` under the number `theirs` (3 and up); ours stays open here. */
void spawn_pass_fd(struct spawn *s, int ours, int theirs);

/* A text for stdin_fd, which the caller closes; it lies in memory, never in a file. */
_must_check_ struct error *spawn_input(const char *text, size_t n, int *ret_fd);

/* Starts and returns at once; the caller reaps. */
_must_check_ struct error *spawn_start(struct spawn *s, pid_t *ret_pid);
/* Runs to its end, at most timeout_us; captures standard output (at most max bytes, may be NULL)
 * and standard error. A non-zero exit is an error whose detail holds the end of standard error. */
_must_check_ struct error *spawn_run(struct spawn *s, int64_t timeout_us, size_t max,
                                     struct str *ret_out);

/* The same, but how it ended is the caller's to judge: *ret_status as waitpid gives it, the end of
 * standard error in *ret_err. */
_must_check_ struct error *spawn_run_status(struct spawn *s, int64_t timeout_us, size_t max,
                                            struct str *ret_out, struct str *ret_err,
                                            int *ret_status);

/* A process is known by pid and start time (field 22 of /proc/PID/stat), so that a reused pid is
 * never taken for it. 0 = no such process. */
unsigned long long process_start_time(pid_t pid);

#define _cleanup_spawn_ _cleanup_(spawn_fini)
