/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which host of a pool serves a request: two hosts, two repositories, a VM with a disk on each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/http/elsewhere.h"
#include "base/str.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "lib/store_bed.h"

struct pool {
    const char *here, *there, *metrics; /* of the other one */
    const char *mine, *other;           /* repositories that one host has */
    const char *vm;
};

static const char *make_host(struct bed *b, const char *address, const char **ret_metrics)
{
    struct host_metrics_rec *m = txn_new_host_metrics(b->t);
    struct host_rec *host = txn_new_host(b->t);

    m->live = true;
    host->metrics = m->self;
    host->address = address;
    *ret_metrics = m->self;
    return host->self;
}

static void attach(struct bed *b, const char *host, const char *sr)
{
    struct pbd_rec *pbd = txn_new_pbd(b->t);

    pbd->host = host;
    pbd->SR = sr;
    pbd->currently_attached = true;
}

static const char *make_sr(struct bed *b, const char *host)
{
    struct sr_rec *sr = txn_new_sr(b->t);

    attach(b, host, sr->self);
    return sr->self;
}

static void add_disk(struct bed *b, const char *vm, const char *sr, int type)
{
    struct vdi_rec *vdi = txn_new_vdi(b->t);
    struct vbd_rec *vbd = txn_new_vbd(b->t);

    vdi->SR = sr;
    vbd->VM = vm;
    vbd->VDI = vdi->self;
    vbd->type = type;
}

static struct pool make_pool(struct bed *b)
{
    struct pool p;
    const char *none;

    p.here = make_host(b, "192.0.2.1", &none);
    p.there = make_host(b, "2001:db8::2", &p.metrics);
    p.mine = make_sr(b, p.here);
    p.other = make_sr(b, p.there);
    p.vm = make_vm(b, "disks");
    txn_new_pool(b->t)->master = p.here;
    commit_ok(b);
    return p;
}

static void set_live(struct bed *b, const char *metrics, bool live)
{
    struct host_metrics_rec *m;

    assert_null(txn_edit_host_metrics(b->t, metrics, &m));
    m->live = live;
    commit_ok(b);
}

static void a_repository_decides(void **state)
{
    struct bed *b = *state;
    const struct pool p = make_pool(b);

    assert_string_equal(host_seeing_sr(b->t, p.here, p.mine), "");
    assert_string_equal(host_seeing_sr(b->t, p.here, p.other), p.there);
    assert_string_equal(host_seeing_sr(b->t, p.there, p.mine), p.here);
    assert_string_equal(host_seeing_sr(b->t, p.here, "OpaqueRef:none"), "");
    attach(b, p.here, p.other);
    commit_ok(b);
    assert_string_equal(host_seeing_sr(b->t, p.here, p.other), ""); /* both: no detour */
}

static void nobody_is_sent_to_the_dead(void **state)
{
    struct bed *b = *state;
    const struct pool p = make_pool(b);

    set_live(b, p.metrics, false);
    assert_string_equal(host_seeing_sr(b->t, p.here, p.other), "");
    set_live(b, p.metrics, true);
    assert_string_equal(host_seeing_sr(b->t, p.here, p.other), p.there);
}

static void all_disks_of_a_vm_decide(void **state)
{
    struct bed *b = *state;
    const struct pool p = make_pool(b);

    assert_string_equal(host_seeing_vm(b->t, p.here, p.vm), ""); /* no disk */
    add_disk(b, p.vm, p.mine, VBD_TYPE_CD);
    add_disk(b, p.vm, p.other, VBD_TYPE_DISK);
    commit_ok(b);
    assert_string_equal(host_seeing_vm(b->t, p.here, p.vm), p.there);
    add_disk(b, p.vm, p.mine, VBD_TYPE_DISK);
    commit_ok(b);
    assert_string_equal(host_seeing_vm(b->t, p.here, p.vm), ""); /* none has both */
    attach(b, p.there, p.mine);
    commit_ok(b);
    assert_string_equal(host_seeing_vm(b->t, p.here, p.vm), p.there);
    assert_string_equal(host_seeing_vm(b->t, p.there, p.vm), "");
}

static void what_only_the_master_has(void **state)
{
    struct bed *b = *state;
    const struct pool p = make_pool(b);

    assert_string_equal(host_being_master(b->t, p.here), "");
    assert_string_equal(host_being_master(b->t, p.there), p.here);
}

static void move_vm(struct bed *b, const char *ref, const char *host)
{
    struct vm_rec *vm;

    assert_null(txn_edit_vm(b->t, ref, &vm));
    vm->resident_on = host;
    commit_ok(b);
}

static void where_a_vm_runs(void **state)
{
    struct bed *b = *state;
    const struct pool p = make_pool(b);

    assert_string_equal(host_running_vm(b->t, p.here, p.vm), ""); /* off, and this is the master */
    assert_string_equal(host_running_vm(b->t, p.there, p.vm), p.here);
    move_vm(b, p.vm, p.there);
    assert_string_equal(host_running_vm(b->t, p.here, p.vm), p.there);
    assert_string_equal(host_running_vm(b->t, p.there, p.vm), "");
    set_live(b, p.metrics, false);
    assert_string_equal(host_running_vm(b->t, p.here, p.vm), "");
    assert_string_equal(host_running_vm(b->t, p.there, "OpaqueRef:none"), "");
}

static void the_same_request_there(void **state)
{
    struct bed *b = *state;
    const struct pool p = make_pool(b);
    const char *target = "/export_raw_vdi/?vdi=a%20b&session_id=c";

    assert_string_equal(host_location(b->t, p.here, target),
                        "https://192.0.2.1/export_raw_vdi/?vdi=a%20b&session_id=c");
    assert_string_equal(host_location(b->t, p.there, "/blob"), "https://[2001:db8::2]/blob");
    assert_null(host_location(b->t, "OpaqueRef:none", target));
    assert_null(host_location(b->t, p.here, "http://elsewhere/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_repository_decides, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(nobody_is_sent_to_the_dead, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(all_disks_of_a_vm_decide, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(what_only_the_master_has, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(where_a_vm_runs, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(the_same_request_there, bed_setup, bed_teardown),
    };

    return cmocka_run_group_tests_name("elsewhere", tests, NULL, NULL);
}
