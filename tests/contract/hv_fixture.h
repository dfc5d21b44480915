/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of hypervisor drivers share: an open driver in a state directory of its own, the
 * events it told, and a guest description that boots on it.
 */

#include "base/error.h"
#include "base/str.h"
#include "hv/hv.h"

#include <pthread.h>
#include <stdbool.h>

#define EVENTS_MAX 256

struct seen {
    enum hv_event_kind kind;
    char uuid[40];
    enum hv_state state;
    enum hv_stop stop;
    int device;
};

/* Program in which the driver runs (hv/remote/remote.h), NULL = none. */
extern const char *fixture_worker;
/* Under test: "sim" at first. */
extern const char *fixture_driver;

struct fixture {
    char dir[64];
    struct hv *hv;
    struct arena arena;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct seen events[EVENTS_MAX];
    size_t n_events, next;            /* next: where await_event goes on */
    char *kernel, *ramdisk, *cmdline; /* qemu: of the tiny guest */
};

/* Fails the running test with the error's text. */
#define ok(expr) ok_(expr, #expr, __FILE__, __LINE__)
void ok_(struct error *e, const char *what, const char *file, int line);
/* The call must fail; code NULL = any system error. */
#define fails(expr, code) fails_(expr, code, #expr, __FILE__, __LINE__)
void fails_(struct error *e, const char *code, const char *what, const char *file, int line);

/* False when the driver cannot run here: nothing installed, no guest given. */
bool fixture_usable(const char *driver);
/* Around each test; *state is the fixture. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);
/* As if the program had ended and started again; events seen so far are forgotten. */
void fixture_reopen(struct fixture *f);

/* A guest of 128 MiB and one CPU, paused after start; booting directly on qemu. */
struct hv_start guest(struct fixture *f, const char *uuid);
/* Waits up to 60 s for the next event of that kind (skipping others); the test fails in vain. */
struct seen await_event(struct fixture *f, const char *uuid, enum hv_event_kind kind);
struct seen await_state(struct fixture *f, const char *uuid, enum hv_state state);
struct hv_domain query(struct fixture *f, const char *uuid);
/* Reads from a console until the text appears, at most 60 s. The caller frees what was read. */
char *read_until(int fd, const char *text);
void await_text(int fd, const char *text);
/* Runs a program of the host, with up to three arguments, and expects it to succeed. */
void host(const char *program, const char *a, const char *b, const char *c, struct str *out);
/* On Xen: writes to xenstore what an agent in the guest would; the tiny guest has none. */
void speak_as_agent(int64_t domid);
void await_times(int fd, const char *text, int times); /* counting what was kept */
