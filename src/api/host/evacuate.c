/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Emptying a host of its guests. With one host there is nowhere to go: a guest that runs is in the
 * way, and the caller has to suspend it or shut it down.
 */
#include "base/str.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/msg/host.h"
#include "rpc/call.h"

struct guests {
    const char **refs;
    size_t n;
};

/* The guests on the host, the control domain left out. */
static struct error *guests_on(struct call *c, const char *ref, struct guests *ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, ref, &host));
    const struct set_ref *vms = &txn_inv_host(c->txn, host)->resident_VMs;

    *ret = (struct guests){.refs = arena_array(c->arena, const char *, vms->n)};
    for (size_t i = 0; i < vms->n; i++) {
        const struct vm_rec *vm = txn_find_vm(c->txn, vms->v[i]);

        if (vm && !vm->is_control_domain)
            ret->refs[ret->n++] = vm->self;
    }
    return NULL;
}

/* "CODE,parameter|CODE,parameter": how this one error tells several. */
static struct error *refusal(struct call *c, const struct guests *g)
{
    _cleanup_str_ struct str text = STR_INIT;

    for (size_t i = 0; i < g->n; i++)
        str_printf(&text, "%s" ERR_NO_HOSTS_AVAILABLE ",%s", i ? "|" : "", g->refs[i]);
    return err_cannot_evacuate_host(str_cstr(&text));
}

static struct error *check_empty(struct call *c, const char *host)
{
    struct guests g;

    TRY(guests_on(c, host, &g));
    return g.n ? refusal(c, &g) : NULL;
}

struct error *api_host_assert_can_evacuate(struct call *c,
                                           const struct host_assert_can_evacuate_args *a)
{
    return check_empty(c, a->host);
}

struct error *api_host_evacuate(struct call *c, const struct host_evacuate_args *a)
{
    struct host_rec *h;

    TRY(check_empty(c, a->host));
    TRY(txn_edit_host(c->txn, a->host, &h));
    h->enabled = false; /* nothing may come back meanwhile */
    return NULL;
}

struct error *api_host_get_vms_which_prevent_evacuation(
    struct call *c, const struct host_get_vms_which_prevent_evacuation_args *a,
    struct map_ref_set_string *ret)
{
    struct guests g;

    TRY(guests_on(c, a->self, &g));
    struct set_string *why = arena_array(c->arena, struct set_string, g.n);

    for (size_t i = 0; i < g.n; i++) {
        const char **words = arena_array(c->arena, const char *, 2);

        words[0] = ERR_NO_HOSTS_AVAILABLE;
        words[1] = g.refs[i];
        why[i] = (struct set_string){.n = 2, .v = words};
    }
    *ret = (struct map_ref_set_string){.n = g.n, .k = g.refs, .v = why};
    return NULL;
}

struct error *api_host_get_uncooperative_resident_vms(
    struct call *c, const struct host_get_uncooperative_resident_vms_args *a, struct set_ref *ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->self, &host));
    *ret = (struct set_ref){0}; /* an old kind of check that nobody makes any more */
    return NULL;
}
