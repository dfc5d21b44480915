/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/load.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/world.h"
#include "simulation/fail.h"
#include "simulation/journal.h"
#include "simulation/sched.h"

#include <inttypes.h>

#define CLIENTS_MAX 16

struct user {
    struct client client;
    unsigned number;
    unsigned calls;
    char key[64]; /* of the pool, "" = none */
    struct fiber *fiber;
};

static struct load_config config;
static struct user users[CLIENTS_MAX];
static char sr[64], template[64], pool[64];
static unsigned long n_calls;

static unsigned below(unsigned n)
{
    return (unsigned)chance_below(config.chance, n);
}

static struct answer call(struct user *u, const char *method, json_t *params)
{
    n_calls++;
    return client_call(&u->client, method, params);
}

static void call_and_forget(struct user *u, const char *method, json_t *params)
{
    struct answer a = call(u, method, params);

    answer_fini(&a);
}

/* One of four times as Async: then the answer is only a task. */
static void call_either_way(struct user *u, const char *method, json_t *params)
{
    char name[64];

    if (below(4)) {
        call_and_forget(u, method, params);
        return;
    }
    snprintf(name, sizeof(name), "Async.%s", method);
    struct answer a = call(u, name, params);

    if (*answer_text(&a))
        journal_made(THING_TASK, answer_text(&a));
    answer_fini(&a);
}

static struct thing *make(struct user *u, enum thing_kind kind, const char *method, json_t *params)
{
    struct answer a = call(u, method, params);
    struct thing *t = *answer_text(&a) ? journal_made(kind, answer_text(&a)) : NULL;

    answer_fini(&a);
    return t;
}

static void end(struct user *u, struct thing *t, const char *method)
{
    journal_ending(t);
    struct answer a = call(u, method, json_pack("[s]", t->ref));

    journal_ended(t, &a);
    answer_fini(&a);
}

/* ---- what they do ---- */

static struct thing *new_vm(struct user *u)
{
    char name[32];

    snprintf(name, sizeof(name), "vm %s", u->client.name);
    struct thing *t = make(u, THING_VM, "VM.clone", json_pack("[ss]", template, name));

    if (t)
        call_and_forget(u, "VM.set_is_a_template", json_pack("[sb]", t->ref, 0));
    return t;
}

static json_t *vdi_record(void)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:{}}", "name_label", "disk",
                     "name_description", "", "SR", sr, "virtual_size", "1048576", "type", "user",
                     "sharable", 0, "read_only", 0, "other_config");
}

static void new_disk(struct user *u, const struct thing *vm)
{
    char device[8];
    struct thing *vdi = make(u, THING_VDI, "VDI.create", json_pack("[o]", vdi_record()));

    if (!vdi)
        return;
    snprintf(device, sizeof(device), "%u", below(4));
    json_t *vbd = json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:b, s:b, s:{}, s:s, s:{}}", "VM",
                            vm->ref, "VDI", vdi->ref, "userdevice", device, "bootable", 0, "mode",
                            "RW", "type", "Disk", "empty", 0, "unpluggable", 1, "other_config",
                            "qos_algorithm_type", "", "qos_algorithm_params");
    struct thing *t = make(u, THING_VBD, "VBD.create", json_pack("[o]", vbd));

    if (t && below(2))
        call_either_way(u, "VBD.plug", json_pack("[s]", t->ref));
}

static void make_something(struct user *u)
{
    struct thing *vm = journal_any(THING_VM, config.chance);

    if (!vm || journal_count(THING_VM) < 3 || !below(4))
        vm = new_vm(u);
    if (vm && below(2))
        new_disk(u, vm);
}

static void power(struct user *u)
{
    struct thing *vm = journal_any(THING_VM, config.chance);

    if (!vm)
        return;
    switch (below(10)) {
    case 0:
    case 1:
    case 2:
        call_either_way(u, "VM.start", json_pack("[sbb]", vm->ref, below(6) == 0, 0));
        break;
    case 3:
    case 4:
        call_either_way(u, "VM.hard_shutdown", json_pack("[s]", vm->ref));
        break;
    case 5:
        call_either_way(u, "VM.clean_shutdown", json_pack("[s]", vm->ref));
        break;
    case 6:
        call_either_way(u, "VM.pause", json_pack("[s]", vm->ref));
        break;
    case 7:
        call_either_way(u, "VM.unpause", json_pack("[s]", vm->ref));
        break;
    case 8:
        call_either_way(u, "VM.hard_reboot", json_pack("[s]", vm->ref));
        break;
    default:
        call_either_way(u, "VM.clean_reboot", json_pack("[s]", vm->ref));
        break;
    }
}

static void copies(struct user *u)
{
    struct thing *vm = journal_any(THING_VM, config.chance);
    struct thing *snapshot = journal_any(THING_SNAPSHOT, config.chance);

    switch (below(4)) {
    case 0:
        if (vm && journal_count(THING_VM) < 8)
            make(u, THING_VM, "VM.clone", json_pack("[ss]", vm->ref, "a clone"));
        break;
    case 1:
        if (snapshot)
            call_either_way(u, "VM.revert", json_pack("[s]", snapshot->ref));
        break;
    default:
        if (vm && journal_count(THING_SNAPSHOT) < 6)
            make(u, THING_SNAPSHOT, "VM.snapshot", json_pack("[ss]", vm->ref, "a snapshot"));
        break;
    }
}

static void end_something(struct user *u)
{
    static const struct {
        enum thing_kind kind;
        const char *method;
    } ways[] = {{THING_VM, "VM.destroy"},
                {THING_SNAPSHOT, "VM.destroy"},
                {THING_VDI, "VDI.destroy"},
                {THING_VBD, "VBD.destroy"}};
    unsigned way = below(ARRAY_SIZE(ways));
    struct thing *t = journal_any(ways[way].kind, config.chance);

    if (!t)
        return;
    if (ways[way].kind == THING_VM && below(2))
        call_and_forget(u, "VM.hard_shutdown", json_pack("[s]", t->ref));
    end(u, t, ways[way].method);
}

/* A disk comes or goes, and its VM ends and is started again meanwhile. */
static void disk_across_runs(struct user *u, const struct thing *vbd)
{
    struct answer vm = call(u, "VBD.get_VM", json_pack("[s]", vbd->ref));
    const char *ref = answer_text(&vm);

    call_and_forget(u, below(2) ? "Async.VBD.plug" : "Async.VBD.unplug",
                    json_pack("[s]", vbd->ref));
    if (*ref) {
        call_and_forget(u, "VM.hard_shutdown", json_pack("[s]", ref));
        call_and_forget(u, "VM.start", json_pack("[sbb]", ref, 0, 0));
    }
    answer_fini(&vm);
}

static void disks(struct user *u)
{
    struct thing *vdi = journal_any(THING_VDI, config.chance);
    struct thing *vbd = journal_any(THING_VBD, config.chance);

    if (vbd && below(5) == 0) {
        disk_across_runs(u, vbd);
        return;
    }
    if (vbd && below(2)) {
        call_either_way(u, below(2) ? "VBD.plug" : "VBD.unplug", json_pack("[s]", vbd->ref));
        return;
    }
    if (!vdi)
        return;
    switch (below(4)) {
    case 0:
        make(u, THING_VDI, "VDI.snapshot", json_pack("[s{}]", vdi->ref));
        break;
    case 1:
        make(u, THING_VDI, "VDI.clone", json_pack("[s{}]", vdi->ref));
        break;
    case 2:
        call_either_way(u, "VDI.resize",
                        json_pack("[ss]", vdi->ref, below(2) ? "2097152" : "4194304"));
        break;
    default:
        call_and_forget(u, "VDI.set_name_label", json_pack("[ss]", vdi->ref, u->client.name));
        break;
    }
}

/* A key of a map that all clients change at the same time. */
static void shared_key(struct user *u)
{
    if (*u->key) {
        journal_key_removing(u->key);
        struct answer a = call(u, "pool.remove_from_other_config", json_pack("[ss]", pool, u->key));

        journal_key_removed(u->key, &a);
        answer_fini(&a);
    }
    snprintf(u->key, sizeof(u->key), "%s-%u", u->client.name, u->calls);
    journal_key_adding(u->key);
    struct answer a = call(u, "pool.add_to_other_config", json_pack("[sss]", pool, u->key, "set"));

    journal_key_added(u->key, &a);
    answer_fini(&a);
}

static void settings(struct user *u)
{
    struct thing *vm = journal_any(THING_VM, config.chance);

    if (!vm)
        return;
    switch (below(4)) {
    case 0:
        call_and_forget(u, "VM.set_name_description", json_pack("[ss]", vm->ref, u->client.name));
        break;
    case 1:
        call_and_forget(u, "VM.add_tags", json_pack("[ss]", vm->ref, u->client.name));
        break;
    case 2:
        call_and_forget(u, "VM.set_actions_after_crash",
                        json_pack("[ss]", vm->ref, below(2) ? "destroy" : "restart"));
        break;
    default:
        call_and_forget(u, "VM.remove_tags", json_pack("[ss]", vm->ref, u->client.name));
        break;
    }
}

static void look(struct user *u)
{
    static const char *const lists[] = {"VM.get_all_records", "VDI.get_all_records",
                                        "task.get_all_records", "VBD.get_all_records"};
    struct thing *vm = journal_any(THING_VM, config.chance);

    if (vm && below(2))
        call_and_forget(u, "VM.get_record", json_pack("[s]", vm->ref));
    else
        call_and_forget(u, lists[below(ARRAY_SIZE(lists))], json_array());
}

static void tasks(struct user *u)
{
    struct thing *t = journal_any(THING_TASK, config.chance);

    if (!t)
        return;
    if (below(3))
        call_and_forget(u, "task.cancel", json_pack("[s]", t->ref));
    else
        end(u, t, "task.destroy");
}

static void *user_main(void *arg)
{
    static const struct {
        void (*act)(struct user *u);
        unsigned weight;
    } acts[] = {{make_something, 3}, {power, 6},    {copies, 3}, {end_something, 3}, {disks, 4},
                {shared_key, 2},     {settings, 3}, {look, 2},   {tasks, 2}};
    struct user *u = arg;
    unsigned total = 0;

    for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
        total += acts[i].weight;
    while (u->calls++ < config.calls) {
        unsigned n = below(total);
        size_t i = 0;

        while (n >= acts[i].weight)
            n -= acts[i++].weight;
        acts[i].act(u);
        if (below(3) == 0)
            sched_sleep(chance_between(config.chance, 1, below(10) ? 5000 : 500000));
    }
    return NULL;
}

/* ---- the whole ---- */

static void first_of(struct client *c, const char *method, json_t *params, char ret[64])
{
    struct answer a = client_insist(c, method, params);
    const char *s = json_string_value(json_array_get(a.result, 0));

    if (!s)
        fail("%s gave nothing: %s", method, answer_code(&a));
    snprintf(ret, 64, "%s", s);
    answer_fini(&a);
}

/* Tried again when hostd went away; an SR made in vain does not disturb. */
static void make_sr(struct client *c, const char *host)
{
    for (int tries = 0; !*sr; tries++) {
        struct answer a =
            client_insist(c, "SR.create",
                          json_pack("[s{}sssssb{}]", host, "0", "simulated", "", "sim", "user", 0));

        if (tries == 20)
            fail("SR.create failed: %s", answer_code(&a));
        snprintf(sr, sizeof(sr), "%s", answer_text(&a));
        answer_fini(&a);
    }
}

void load_prepare(const struct load_config *c)
{
    char host[64];

    config = *c;
    for (unsigned i = 0; i < c->clients; i++) {
        users[i].number = i;
        snprintf(users[i].client.name, sizeof(users[i].client.name), "client-%u", i);
    }
    struct client *first = &users[0].client;

    first_of(first, "host.get_all", json_array(), host);
    first_of(first, "pool.get_all", json_array(), pool);
    first_of(first, "VM.get_by_name_label", json_pack("[s]", "Other install media"), template);
    make_sr(first, host);
    for (int i = 0; i < 2; i++) {
        struct thing *vm = new_vm(&users[0]);

        if (vm)
            new_disk(&users[0], vm);
    }
}

void load_start(void)
{
    for (unsigned i = 0; i < config.clients; i++)
        users[i].fiber = sched_spawn(GROUP_WORLD, users[i].client.name, user_main, &users[i]);
}

bool load_done(void)
{
    for (unsigned i = 0; i < config.clients; i++)
        if (!sched_ended(users[i].fiber, NULL))
            return false;
    return true;
}

unsigned long load_calls(void)
{
    return n_calls;
}

const char *load_sr(void)
{
    return sr;
}
