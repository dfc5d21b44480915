/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lives of xenolith-hostd, and what it asks of the real machine. */
#include "base/mem.h"
#include "base/world.h"
#include "hostd/accounts.h"
#include "hostd/facts.h"
#include "hostd/machine.h"
#include "hostd/options.h"
#include "hv/console.h"
#include "hv/driver.h"
#include "hv/qemu/qemu.h"
#include "hv/qmp.h"
#include "simulation/life.h"
#include "simulation/link.h"
#include "simulation/programs.h"

static struct life life;
static struct machine *machine;
static struct options options = {.hv = "sim", .auth = "file", .merge_pause_us = 20 * SECOND_US};

static struct error *start(void *ctx)
{
    return machine_start(ctx, &options);
}

static void stop(void *ctx)
{
    machine_stop(ctx);
}

void host_start(const char *state_dir)
{
    options.state_dir = state_dir;
    machine = xnew(struct machine);
    life_begin(&life, "hostd", start, stop, machine);
}

struct machine *host_ready(void)
{
    return host_lives() && life.ready ? machine : NULL;
}

bool host_lives(void)
{
    return life_goes_on(&life);
}

int host_group(void)
{
    return life.group;
}

const char *host_failure(void)
{
    return life.failure;
}

void host_kill(void)
{
    if (!host_lives())
        return;
    trace_text("kill hostd");
    sched_kill(life.group);
    sched_wake_all(&life); /* whoever waits for its end */
    cleanup_close(&machine->lock_fd);
    link_host_killed();
}

bool host_stop(void)
{
    trace_text("stop hostd");
    return life_end(&life);
}

/* ---- without QEMU, whose driver is left out ---- */

const struct hv_driver hv_qemu_driver = {.name = "qemu"};

struct error *hv_qemu_take_qmp(struct hv *hv, const char *uuid, struct hv_qmp *ret)
{
    return error_text("there is no QEMU here");
}

void hv_qemu_give_qmp(struct hv_qmp *q)
{
}

/* ---- the same machine everywhere, and nothing that needs threads of the kernel's ---- */

struct error *__wrap_accounts_open(const char *state_dir, const char *how, struct accounts **ret)
{
    *ret = NULL;
    return NULL;
}

void __wrap_accounts_close(struct accounts *a)
{
}

struct qmp_loop *__wrap_qmp_loop_start(void)
{
    return NULL; /* only simulated SRs are opened */
}

void __wrap_facts_add_system(struct arena *a, struct host_host_facts_result *f)
{
    f->hostname = "simulated";
    f->memory_total = 64ll << 30;
}

void __wrap_facts_add_cpus(struct arena *a, struct host_host_facts_result *f)
{
}

int64_t __wrap_facts_meminfo(const char *key)
{
    return 32ll << 30;
}

int __wrap_getloadavg(double load[], int n)
{
    load[0] = 0.5;
    return n < 1 ? n : 1;
}

struct error *__wrap_console_hub_start(struct console_hub **ret)
{
    *ret = NULL;
    return NULL;
}

void __wrap_console_hub_stop(struct console_hub *hub)
{
}

struct error *__wrap_console_open(struct console_hub *hub, int fd, const char *ring_path,
                                  const char *log_path, struct console **ret)
{
    *ret = NULL;
    return NULL;
}

void __wrap_console_close(struct console *c)
{
}

void __wrap_console_say(struct console *c, const char *text)
{
}

struct error *__wrap_console_view(struct console *c, int *ret_fd)
{
    return error_text("simulated guests have no console here");
}
