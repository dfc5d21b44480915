/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/sched.h"

#include "base/mem.h"
#include "base/vec.h"
#include "simulation/fail.h"

#include <assert.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_SIZE  (512u << 10)
#define STEP_MAX_US 8
#define NAME_LEN    24

enum fiber_state { READY, BLOCKED, ENDED };

struct fiber {
    ucontext_t context;
    void *stack;
    size_t stack_size;
    void *fake_stack; /* the sanitizer's */
    unsigned id;
    int group;
    enum fiber_state state;
    size_t place; /* in sched.ready or sched.blocked */
    const void *on;
    const char *why;
    int64_t deadline;
    bool timed_out;
    bool detached;
    bool begun;
    int saved_errno;
    void *(*fn)(void *arg);
    void *arg;
    void *ret;
    char name[NAME_LEN];
};

struct fibers VEC(struct fiber *);

static struct {
    struct sched_config config;
    struct chance chance;
    struct fiber *current;
    struct fiber first;
    struct fibers ready;
    struct fibers blocked;
    struct VEC(void *) stacks; /* free ones */
    struct fiber *leaving;     /* its stack can be used again once another runs */
    struct fiber *at_step;
    uint64_t step_wanted;
    uint64_t steps;
    int64_t now;
    int64_t nearest; /* not later than any deadline */
    unsigned next_id;
    int n_groups;
    bool dead[GROUP_MAX];
    unsigned held;
    struct fiber *dumper; /* whoever is switched to tells where it stands and gives back */
    uint64_t digest;
    FILE *trace;
} sched;

void trace_add(const void *p, size_t n)
{
    const unsigned char *s = p;

    if (sched.trace) {
        fprintf(sched.trace, "%zu ", n);
        fwrite(p, 1, n, sched.trace);
        fputc('\n', sched.trace);
        fflush(sched.trace);
    }
    for (size_t i = 0; i < n; i++)
        sched.digest = (sched.digest ^ s[i]) * 0x100000001b3u;
}

void trace_text(const char *text)
{
    trace_add(text, strlen(text));
}

void trace_to(const char *file)
{
    sched.trace = fopen(file, "we");
    assert(sched.trace);
}

uint64_t trace_digest(void)
{
    return sched.digest;
}

struct chance *sched_chance(void)
{
    return &sched.chance;
}

int64_t sched_now_us(void)
{
    return sched.now;
}

uint64_t sched_steps(void)
{
    return sched.steps;
}

bool sched_spurious(void)
{
    return chance_in(&sched.chance, sched.config.spurious, 1000);
}

/* ---- who can run ---- */

static void put(struct fibers *list, struct fiber *f)
{
    f->place = list->n;
    vec_add(list, f);
}

static void take(struct fibers *list, struct fiber *f)
{
    struct fiber *last = list->v[--list->n];

    assert(list->v[f->place] == f || last == f);
    list->v[f->place] = last;
    last->place = f->place;
}

static void make_ready(struct fiber *f, bool timed_out)
{
    take(&sched.blocked, f);
    f->state = READY;
    f->on = NULL;
    f->timed_out = timed_out;
    put(&sched.ready, f);
}

static void expire(void)
{
    int64_t nearest = SCHED_NEVER;

    for (size_t i = 0; i < sched.blocked.n;) {
        struct fiber *f = sched.blocked.v[i];

        if (f->deadline <= sched.now) {
            make_ready(f, true);
            continue; /* another took its place */
        }
        if (f->deadline < nearest)
            nearest = f->deadline;
        i++;
    }
    sched.nearest = nearest;
}

/* ---- switching ---- */

static void free_stack_of(struct fiber *f)
{
    if (f->stack)
        vec_add(&sched.stacks, f->stack);
    f->stack = NULL;
}

static void *stack_new(void)
{
    if (sched.stacks.n) {
        void *old = sched.stacks.v[--sched.stacks.n];

#ifdef WITH_ASAN
        __asan_unpoison_memory_region((char *)old + 4096, STACK_SIZE - 4096);
#endif
        return old;
    }
    char *p = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    assert(p != MAP_FAILED);
    mprotect(p, 4096, PROT_NONE); /* a stack that is too small is a crash, not a riddle */
    return p;
}

static void tell_place(void)
{
    void *frames[40];
    int n = backtrace(frames, 40);

    backtrace_symbols_fd(frames, n, 2);
}

static void arrived(void)
{
    struct fiber *gone = sched.leaving;

    sched.leaving = NULL;
    if (gone) {
        free_stack_of(gone);
        if (gone->detached)
            free(gone);
    }
}

static void jump(struct fiber *from, struct fiber *to)
{
    sched.current = to;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(from->state == ENDED ? NULL : &from->fake_stack, to->stack,
                                   to->stack_size);
#endif
    swapcontext(&from->context, &to->context);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

static void switch_to(struct fiber *to)
{
    struct fiber *from = sched.current;

    from->saved_errno = errno;
    jump(from, to);
    while (sched.dumper) {
        struct fiber *back = sched.dumper;

        tell_place();
        sched.dumper = NULL;
        jump(from, back);
    }
    arrived();
    errno = from->saved_errno;
}

static void dump_one(struct fiber *f, struct fiber *me)
{
    const char *state = f == me ? "runs" : f->state == READY ? "could run" : "waits for ";

    dprintf(2, "-- fiber %u \"%s\" of group %d: %s%s", f->id, f->name, f->group, state,
            f->state == BLOCKED && f->why ? f->why : "");
    if (f->state == BLOCKED && f->deadline != SCHED_NEVER)
        dprintf(2, ", until %.6f", (double)f->deadline / 1e6);
    dprintf(2, " (now %.6f)\n", (double)sched.now / 1e6);
    if (f == me || !f->begun)
        return;
    sched.dumper = me;
    jump(me, f);
}

void sched_dump(void)
{
    struct fiber *me = sched.current;

    for (size_t i = 0; i < sched.ready.n; i++)
        dump_one(sched.ready.v[i], me);
    for (size_t i = 0; i < sched.blocked.n; i++)
        dump_one(sched.blocked.v[i], me);
}

void sched_dump_me(void)
{
    tell_place();
}

/* Somebody who can run; time passes until there is. */
static struct fiber *choose(void)
{
    sched.steps++;
    sched.now += chance_between(&sched.chance, 1, STEP_MAX_US);
    if (sched.nearest <= sched.now)
        expire();
    if (sched.at_step && sched.steps >= sched.step_wanted) {
        struct fiber *f = sched.at_step;

        sched.at_step = NULL;
        make_ready(f, false);
        return f;
    }
    while (!sched.ready.n) {
        expire();
        if (sched.ready.n)
            break;
        if (sched.nearest == SCHED_NEVER)
            fail_stuck("deadlock: nobody can run and nobody waits for a time");
        sched.now = sched.nearest;
        expire();
    }
    return sched.ready.v[chance_below(&sched.chance, sched.ready.n)];
}

static void go_on(void)
{
    struct fiber *next = choose();

    trace_add(&next->id, sizeof(next->id));
    if (next != sched.current)
        switch_to(next);
}

void sched_point(void)
{
    if (sched.held || !sched.current)
        return;
    if (sched.config.stay <= 1 || chance_below(&sched.chance, sched.config.stay) == 0)
        go_on();
    else
        sched.steps++;
}

void sched_hold(bool on)
{
    sched.held += on ? 1u : -1u;
}

bool sched_block(const void *on, int64_t deadline_us, const char *why)
{
    struct fiber *f = sched.current;

    assert(!sched.held);
    take(&sched.ready, f);
    f->state = BLOCKED;
    f->on = on;
    f->why = why;
    f->deadline = deadline_us;
    f->timed_out = false;
    put(&sched.blocked, f);
    if (deadline_us < sched.nearest)
        sched.nearest = deadline_us;
    go_on();
    return !f->timed_out;
}

void sched_wake_one(const void *on)
{
    struct fiber *found[64];
    size_t n = 0;

    for (size_t i = 0; i < sched.blocked.n && n < 64; i++)
        if (sched.blocked.v[i]->on == on)
            found[n++] = sched.blocked.v[i];
    if (n)
        make_ready(found[chance_below(&sched.chance, n)], false);
}

void sched_wake_all(const void *on)
{
    for (size_t i = 0; i < sched.blocked.n;) {
        if (sched.blocked.v[i]->on == on)
            make_ready(sched.blocked.v[i], false);
        else
            i++;
    }
}

void sched_sleep(int64_t us)
{
    sched_block(NULL, sched.now + us, "sleeps");
}

void sched_until_step(uint64_t step)
{
    assert(!sched.at_step);
    if (sched.steps >= step)
        return;
    sched.at_step = sched.current;
    sched.step_wanted = step;
    sched_block(&sched.at_step, SCHED_NEVER, "a step");
}

void sched_hurry(void)
{
    sched.step_wanted = 0;
}

/* ---- life ---- */

static void fiber_main(unsigned high, unsigned low)
{
    struct fiber *f = (struct fiber *)((uintptr_t)high << 32 | low);

#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
    arrived();
    errno = 0;
    f->begun = true;
    f->ret = f->fn(f->arg);
    take(&sched.ready, f);
    f->state = ENDED;
    sched_wake_all(f);
    sched.leaving = f;
    go_on();
    assert(!"an ended fiber runs");
}

pthread_t __real_pthread_self(void);

/* Of the thread the program began with. */
static void own_stack(struct fiber *f)
{
    pthread_attr_t attr;

    pthread_getattr_np(__real_pthread_self(), &attr);
    pthread_attr_getstack(&attr, &f->stack, &f->stack_size);
    pthread_attr_destroy(&attr);
}

void sched_init(const struct sched_config *c)
{
    sched.config = *c;
    sched.chance.state = c->seed;
    sched.digest = 0xcbf29ce484222325u;
    sched.nearest = SCHED_NEVER;
    sched.n_groups = 1;
    sched.first = (struct fiber){.id = sched.next_id++, .name = "main", .begun = true};
    own_stack(&sched.first);
    sched.current = &sched.first;
    put(&sched.ready, &sched.first);
}

struct fiber *sched_spawn(int group, const char *name, void *(*fn)(void *arg), void *arg)
{
    struct fiber *f = xnew(struct fiber);
    uintptr_t p = (uintptr_t)f;

    f->id = sched.next_id++;
    f->group = group;
    f->fn = fn;
    f->arg = arg;
    f->stack = stack_new();
    f->stack_size = STACK_SIZE;
    sched_name(f, name);
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_SIZE;
    f->context.uc_link = NULL;
    makecontext(&f->context, (void (*)(void))(uintptr_t)fiber_main, 2, (unsigned)(p >> 32),
                (unsigned)p);
    if (sched.dead[group]) {
        f->state = ENDED; /* a program that is gone starts nothing */
        free_stack_of(f);
        return f;
    }
    put(&sched.ready, f);
    return f;
}

bool sched_ended(const struct fiber *f, void **ret)
{
    if (f->state != ENDED)
        return false;
    if (ret)
        *ret = f->ret;
    return true;
}

void sched_release(struct fiber *f)
{
    if (f->state == ENDED && f != sched.leaving)
        free(f);
    else
        f->detached = true;
}

int sched_group_new(const char *name)
{
    assert(sched.n_groups < GROUP_MAX);
    return sched.n_groups++;
}

int sched_group(void)
{
    return sched.current->group;
}

static void kill_in(struct fibers *list, int group)
{
    for (size_t i = 0; i < list->n;) {
        struct fiber *f = list->v[i];

        if (f->group != group) {
            i++;
            continue;
        }
        take(list, f);
        f->state = ENDED;
        free_stack_of(f);
    }
}

void sched_kill(int group)
{
    assert(group != GROUP_WORLD && sched.current->group != group);
    sched.dead[group] = true;
    kill_in(&sched.ready, group);
    kill_in(&sched.blocked, group);
}

bool sched_is_dead(int group)
{
    return sched.dead[group];
}

size_t sched_count(int group)
{
    size_t n = 0;

    for (size_t i = 0; i < sched.ready.n; i++)
        n += sched.ready.v[i]->group == group;
    for (size_t i = 0; i < sched.blocked.n; i++)
        n += sched.blocked.v[i]->group == group;
    return n;
}

void sched_name(struct fiber *f, const char *name)
{
    snprintf(f->name, sizeof(f->name), "%s", name);
}

const char *sched_my_name(void)
{
    return sched.current ? sched.current->name : "";
}

unsigned sched_my_id(void)
{
    return sched.current ? sched.current->id : 0;
}

struct fiber *sched_self(void)
{
    return sched.current;
}
