/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "place.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unwind.h>

#define MODULES 64

struct module {
    uintptr_t base, begin, end;
    char path[256];
};

static struct module modules[MODULES];
static int n_modules;

static int add(struct dl_phdr_info *info, size_t size, void *ctx)
{
    struct module *m = &modules[n_modules];

    if (n_modules == MODULES)
        return 1;
    *m = (struct module){.base = info->dlpi_addr, .begin = UINTPTR_MAX};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t begin = m->base + p->p_vaddr, end = begin + p->p_memsz;

        if (p->p_type != PT_LOAD)
            continue;
        m->begin = begin < m->begin ? begin : m->begin;
        m->end = end > m->end ? end : m->end;
    }
    /* The program comes first, and without a name. */
    snprintf(m->path, sizeof(m->path), "%s", n_modules ? info->dlpi_name : program_invocation_name);
    n_modules++;
    return 0;
}

void place_init(void)
{
    n_modules = 0;
    dl_iterate_phdr(add, NULL);
}

static const struct module *module_of(uintptr_t address)
{
    for (const struct module *m = modules; m < modules + n_modules; m++)
        if (address >= m->begin && address < m->end)
            return m;
    return NULL;
}

bool place_is_in(const void *address, const char *part)
{
    const struct module *m = module_of((uintptr_t)address);

    return m && strstr(m->path, part);
}

struct walk {
    const struct module *own;
    uint64_t seen[PLACE_FRAMES];
    int n;
    struct place *place;
};

static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *ctx)
{
    struct walk *w = ctx;
    uintptr_t address = _Unwind_GetIP(context);
    const struct module *m = module_of(address);

    /* What was loaded later lies elsewhere each time. */
    if (!m || m == w->own)
        return _URC_NO_REASON;
    uint64_t frame = mixed(address - m->base + ((uint64_t)(m - modules) << 48));

    for (int i = 0; i < w->n; i++)
        if (w->seen[i] == frame)
            return _URC_NO_REASON;
    w->seen[w->n++] = frame;
    w->place->number += frame;
    if (m == modules)
        w->place->frames[w->place->n++] = address - m->base - 1;
    return w->n < PLACE_FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

void place_here(struct place *ret)
{
    struct walk w = {.own = module_of((uintptr_t)place_here), .place = ret};

    *ret = (struct place){};
    _Unwind_Backtrace(step, &w);
    ret->number |= !ret->number;
}
