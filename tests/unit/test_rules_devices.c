/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When an operation on a disk, a device, a repository, a host, the pool or a task is allowed. */
#include "fake_view.h"

#include "gen/class/PBD.h"
#include "gen/class/PIF.h"
#include "gen/class/SM.h"
#include "gen/class/SR.h"
#include "gen/class/VBD.h"
#include "gen/class/VDI.h"
#include "gen/class/VIF.h"
#include "gen/class/VM.h"
#include "gen/class/VM_guest_metrics.h"
#include "gen/class/host.h"
#include "gen/class/host_metrics.h"
#include "gen/class/network.h"
#include "gen/class/pool.h"
#include "gen/class/task.h"
#include "gen/derive.h"
#include "rules/ops.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define VM_REF  "OpaqueRef:vm"
#define VDI_REF "OpaqueRef:vdi"
#define VBD_REF "OpaqueRef:vbd"
#define VIF_REF "OpaqueRef:vif"
#define SR_REF  "OpaqueRef:sr"

/* One VM with one disk on one plugged repository, and one card: everything the rules look at. */
struct world_of {
    struct view v;
    struct pool_rec pool;
    struct sm_rec sm;
    struct sr_rec sr;
    struct pbd_rec pbd;
    struct vdi_rec vdi;
    struct vbd_rec vbd, other_vbd;
    struct vm_rec vm;
    struct vm_guest_metrics_rec guest;
    struct network_rec network;
    struct pif_rec pif;
    struct vif_rec vif;
    struct arena a;
    struct set_enum ops;
};

static void fill_storage(struct world_of *w)
{
    static const char *const features[] = {
        "VDI_CREATE",   "VDI_DELETE", "VDI_RESIZE", "VDI_RESIZE_ONLINE", "VDI_CLONE",
        "VDI_SNAPSHOT", "VDI_UPDATE", "SR_UPDATE",  "VDI_CONFIG_CBT",    "VDI_MIRROR"};
    static const char *const pbds[] = {"OpaqueRef:pbd"};
    static const char *const vbds[] = {VBD_REF, "OpaqueRef:other"};
    static const int64_t versions[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

    w->pool = pool_rec_default;
    w->pool.self = "OpaqueRef:pool";
    w->sm = sm_rec_default;
    w->sm.self = "OpaqueRef:sm";
    w->sm.type = "ext";
    w->sm.features = (struct map_string_int){10, features, versions};
    w->sr = sr_rec_default;
    w->sr.self = SR_REF;
    w->sr.type = "ext";
    w->sr.inv.PBDs = (struct set_ref){1, pbds};
    w->pbd = pbd_rec_default;
    w->pbd.self = "OpaqueRef:pbd";
    w->pbd.currently_attached = true;
    w->vdi = vdi_rec_default;
    w->vdi.self = VDI_REF;
    w->vdi.SR = SR_REF;
    w->vdi.type = VDI_TYPE_USER;
    w->vdi.managed = true;
    w->vdi.on_boot = ON_BOOT_PERSIST;
    w->vdi.inv.VBDs = (struct set_ref){2, vbds};
}

static void fill_vm(struct world_of *w)
{
    w->vm = vm_rec_default;
    w->vm.self = VM_REF;
    w->vm.domain_type = DOMAIN_TYPE_HVM;
    w->vm.power_state = VM_POWER_STATE_RUNNING;
    w->vm.guest_metrics = "OpaqueRef:guest";
    w->guest = vm_guest_metrics_rec_default;
    w->guest.self = "OpaqueRef:guest";
    w->guest.PV_drivers_detected = true;
    w->guest.can_use_hotplug_vbd = w->guest.can_use_hotplug_vif = TRISTATE_TYPE_UNSPECIFIED;
    w->vbd = vbd_rec_default;
    w->vbd.self = VBD_REF;
    w->vbd.VM = VM_REF;
    w->vbd.VDI = VDI_REF;
    w->vbd.type = VBD_TYPE_DISK;
    w->vbd.mode = VBD_MODE_RW;
    w->vbd.unpluggable = true;
    w->other_vbd = w->vbd;
    w->other_vbd.self = "OpaqueRef:other";
    w->network = network_rec_default;
    w->network.self = "OpaqueRef:network";
    w->pif = pif_rec_default;
    w->pif.self = "OpaqueRef:pif";
    w->vif = vif_rec_default;
    w->vif.self = VIF_REF;
    w->vif.VM = VM_REF;
    w->vif.network = w->network.self;
}

static int setup(void **ctx)
{
    struct world_of *w = xnew(struct world_of);

    fill_storage(w);
    fill_vm(w);
    fake_add(&w->v, CLASS_POOL, &w->pool);
    fake_add(&w->v, CLASS_SM, &w->sm);
    fake_add(&w->v, CLASS_SR, &w->sr);
    fake_add(&w->v, CLASS_PBD, &w->pbd);
    fake_add(&w->v, CLASS_VDI, &w->vdi);
    fake_add(&w->v, CLASS_VBD, &w->vbd);
    fake_add(&w->v, CLASS_VBD, &w->other_vbd);
    fake_add(&w->v, CLASS_VM, &w->vm);
    fake_add(&w->v, CLASS_VM_GUEST_METRICS, &w->guest);
    fake_add(&w->v, CLASS_NETWORK, &w->network);
    fake_add(&w->v, CLASS_PIF, &w->pif);
    fake_add(&w->v, CLASS_VIF, &w->vif);
    arena_init(&w->a);
    *ctx = w;
    return 0;
}

static int teardown(void **ctx)
{
    struct world_of *w = *ctx;

    arena_fini(&w->a);
    free(w);
    return 0;
}

/* ASK(vdi, CLONE): the error a call would get; the quiet form must agree. */
#define ASK(cls, op_)                                                                              \
    ({                                                                                             \
        struct error *why_ = NULL;                                                                 \
        bool ok_ = cls##_op_allowed(&w->v, &w->cls, (op_), false, &why_);                          \
        assert_int_equal(ok_, cls##_op_allowed(&w->v, &w->cls, (op_), false, NULL));               \
        assert_int_equal(ok_, why_ == NULL);                                                       \
        why_;                                                                                      \
    })
#define VDI(op, code, params) assert_refusal(ASK(vdi, VDI_OPERATIONS_##op), code, params)
#define VBD(op, code, params) assert_refusal(ASK(vbd, VBD_OPERATIONS_##op), code, params)
#define VIF(op, code, params) assert_refusal(ASK(vif, VIF_OPERATIONS_##op), code, params)
#define SR(op, code, params)  assert_refusal(ASK(sr, STORAGE_OPERATIONS_##op), code, params)

static const char *vdi_list(struct world_of *w)
{
    derive_vdi_allowed_operations(&w->v, &w->a, &w->vdi, &w->ops);
    return fake_names(&w->ops, &vdi_operations_info);
}

static void a_disk_in_use_allows_less(void **ctx)
{
    struct world_of *w = *ctx;

    assert_string_equal(vdi_list(w), "clone copy resize resize_online snapshot destroy forget "
                                     "update");
    w->vbd.currently_attached = true;
    assert_string_equal(vdi_list(w), "clone resize_online snapshot");
    VDI(DESTROY, "VDI_IN_USE", VDI_REF "|destroy");
    VDI(COPY, "VDI_IN_USE", VDI_REF "|copy");
    w->vbd.mode = VBD_MODE_RO;
    assert_string_equal(vdi_list(w), "clone copy resize_online snapshot");
    w->vbd.currently_attached = false;
    w->vbd.reserved = true;
    VDI(DESTROY, "VDI_IN_USE", VDI_REF "|destroy");
    w->vbd.reserved = false;
    w->vbd.current_operations = BUSY("OpaqueRef:t", VBD_OPERATIONS_PLUG);
    VDI(DESTROY, "OTHER_OPERATION_IN_PROGRESS", "VBD|" VBD_REF "|plug|OpaqueRef:t");
    VDI(SNAPSHOT, NULL, "");
}

static void only_copies_of_a_disk_run_together(void **ctx)
{
    struct world_of *w = *ctx;

    w->vdi.current_operations = BUSY("OpaqueRef:t", VDI_OPERATIONS_COPY);
    VDI(COPY, NULL, "");
    VDI(CLONE, "OTHER_OPERATION_IN_PROGRESS", "VDI|" VDI_REF "|copy|OpaqueRef:t");
    w->vdi.current_operations = BUSY("OpaqueRef:t", VDI_OPERATIONS_CLONE);
    VDI(COPY, "OTHER_OPERATION_IN_PROGRESS", "VDI|" VDI_REF "|clone|OpaqueRef:t");
    assert_string_equal(vdi_list(w), "");
}

static void a_disk_needs_its_repository(void **ctx)
{
    struct world_of *w = *ctx;

    w->pbd.currently_attached = false;
    VDI(CLONE, "SR_HAS_NO_PBDS", SR_REF);
    assert_string_equal(vdi_list(w), "forget");
    w->pbd.currently_attached = true;
    w->sm.features.n = 4;
    VDI(CLONE, "SR_OPERATION_NOT_SUPPORTED", SR_REF);
    assert_string_equal(vdi_list(w), "copy resize resize_online destroy forget");
    w->sm.features.n = 10;
    w->sr.current_operations = BUSY("OpaqueRef:t", STORAGE_OPERATIONS_DESTROY);
    VDI(CLONE, "OTHER_OPERATION_IN_PROGRESS", "SR|" SR_REF "|destroy|OpaqueRef:t");
    w->sr.current_operations = BUSY("OpaqueRef:t", STORAGE_OPERATIONS_SCAN);
    VDI(CLONE, NULL, "");
    w->sr.type = w->sm.type = "udev";
    VDI(DESTROY, "VDI_IS_A_PHYSICAL_DEVICE", VDI_REF);
}

static void kinds_of_disks_have_rules(void **ctx)
{
    struct world_of *w = *ctx;

    w->vdi.managed = false;
    VDI(CLONE, "VDI_NOT_MANAGED", VDI_REF);
    w->vdi.managed = true;
    w->vdi.missing = true;
    VDI(CLONE, "VDI_MISSING", SR_REF "|" VDI_REF);
    VDI(DESTROY, NULL, "");
    w->vdi.missing = false;
    w->vdi.sharable = true;
    VDI(SNAPSHOT, "VDI_IS_SHARABLE", VDI_REF);
    w->vdi.sharable = false;
    w->vdi.on_boot = ON_BOOT_RESET;
    VDI(SNAPSHOT, "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", "");
    VDI(COPY, "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", "");
    VDI(CLONE, NULL, "");
    w->vdi.on_boot = ON_BOOT_PERSIST;
    w->vdi.type = VDI_TYPE_RRD;
    VDI(DESTROY, "VDI_HAS_RRDS", VDI_REF);
    w->vdi.type = VDI_TYPE_CBT_METADATA;
    VDI(CLONE, "VDI_INCOMPATIBLE_TYPE", VDI_REF "|cbt_metadata");
    VDI(DESTROY, NULL, "");
    w->vdi.type = VDI_TYPE_HA_STATEFILE;
    VDI(DESTROY, NULL, "");
    w->pool.ha_enabled = true;
    VDI(DESTROY, "HA_IS_ENABLED", "");
    VDI(RESIZE, "HA_IS_ENABLED", "");
    w->vdi.type = VDI_TYPE_USER;
    VDI(DESTROY, NULL, "");
}

static void changed_block_tracking_has_rules(void **ctx)
{
    struct world_of *w = *ctx;

    VDI(ENABLE_CBT, NULL, "");
    VDI(DATA_DESTROY, "OPERATION_NOT_ALLOWED", "VDI is not a snapshot: " VDI_REF);
    w->vdi.cbt_enabled = true;
    VDI(MIRROR, "VDI_CBT_ENABLED", VDI_REF);
    w->vdi.is_a_snapshot = true;
    VDI(ENABLE_CBT, "OPERATION_NOT_ALLOWED", "VDI is a snapshot: " VDI_REF);
    VDI(DATA_DESTROY, NULL, "");
    w->vdi.cbt_enabled = false;
    VDI(DATA_DESTROY, "VDI_NO_CBT_METADATA", VDI_REF);
    w->vdi.is_a_snapshot = false;
    w->vdi.type = VDI_TYPE_SUSPEND;
    VDI(ENABLE_CBT, "VDI_INCOMPATIBLE_TYPE", VDI_REF "|suspend");
    w->vdi.type = VDI_TYPE_USER;
    w->vdi.on_boot = ON_BOOT_RESET;
    VDI(ENABLE_CBT, "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", "");
}

static const char *vbd_list(struct world_of *w)
{
    derive_vbd_allowed_operations(&w->v, &w->a, &w->vbd, &w->ops);
    return fake_names(&w->ops, &vbd_operations_info);
}

static void disks_are_plugged_into_live_vms(void **ctx)
{
    struct world_of *w = *ctx;

    assert_string_equal(vbd_list(w), "attach plug");
    VBD(UNPLUG, "DEVICE_ALREADY_DETACHED", VBD_REF);
    w->vbd.currently_attached = true;
    assert_string_equal(vbd_list(w), "attach unplug unplug_force");
    VBD(PLUG, "DEVICE_ALREADY_ATTACHED", VBD_REF);
    w->vbd.unpluggable = false;
    VBD(UNPLUG, "VBD_NOT_UNPLUGGABLE", VBD_REF);
    w->vbd.unpluggable = true;
    w->vm.power_state = VM_POWER_STATE_PAUSED;
    VBD(UNPLUG, NULL, "");
    w->vm.power_state = VM_POWER_STATE_HALTED;
    VBD(UNPLUG, "VM_BAD_POWER_STATE", VM_REF "|paused, running|halted");
    VBD(PLUG, "VM_BAD_POWER_STATE", VM_REF "|paused, running|halted");
    w->vm.power_state = VM_POWER_STATE_RUNNING;
    w->vm.current_operations = BUSY("OpaqueRef:t", VM_OPERATIONS_POOL_MIGRATE);
    VBD(UNPLUG, "OTHER_OPERATION_IN_PROGRESS", "VM|" VM_REF "|pool_migrate|OpaqueRef:t");
    w->vm.current_operations = BUSY("OpaqueRef:t", VM_OPERATIONS_SNAPSHOT);
    VBD(UNPLUG, NULL, "");
    w->vbd.current_operations = BUSY("OpaqueRef:t", VBD_OPERATIONS_PLUG);
    VBD(UNPLUG, "OTHER_OPERATION_IN_PROGRESS", "VBD|" VBD_REF "|plug|OpaqueRef:t");
    VBD(PAUSE, "SR_OPERATION_NOT_SUPPORTED", SR_REF);
    assert_string_equal(vbd_list(w), "");
}

static bool listed(struct world_of *w)
{
    derive_vif_allowed_operations(&w->v, &w->a, &w->vif, &w->ops);
    return strstr(fake_names(&w->ops, &vif_operations_info), "plug") != NULL;
}

/* The list promises what a guest is known to do; a call tries unless the guest has denied it. */
static void hvm_guests_must_be_able_to_hotplug(void **ctx)
{
    struct world_of *w = *ctx;

    assert_true(listed(w));
    w->guest.PV_drivers_detected = false;
    assert_string_equal(vbd_list(w), "attach");
    assert_false(listed(w));
    VBD(PLUG, NULL, "");
    VIF(PLUG, NULL, "");
    w->guest.can_use_hotplug_vbd = TRISTATE_TYPE_YES;
    assert_string_equal(vbd_list(w), "attach plug");
    assert_false(listed(w));
    w->guest.PV_drivers_detected = true;
    w->guest.can_use_hotplug_vbd = w->guest.can_use_hotplug_vif = TRISTATE_TYPE_NO;
    VBD(PLUG, "VM_MISSING_PV_DRIVERS", VM_REF);
    VIF(PLUG, "VM_MISSING_PV_DRIVERS", VM_REF);
    w->vm.domain_type = DOMAIN_TYPE_PV;
    VBD(PLUG, NULL, "");
    VIF(PLUG, NULL, "");
    assert_true(listed(w));
    w->vm.guest_metrics = REF_NULL;
    assert_true(listed(w));
    w->vm.domain_type = DOMAIN_TYPE_HVM;
    assert_false(listed(w));
    w->vm.is_control_domain = true;
    assert_true(listed(w));
}

static void hvm_guests_take_no_drives_or_read_only_disks(void **ctx)
{
    struct world_of *w = *ctx;

    w->vbd.mode = VBD_MODE_RO;
    VBD(PLUG, "DISK_VBD_MUST_BE_READWRITE_FOR_HVM", VBD_REF);
    w->vbd.type = VBD_TYPE_CD;
    VBD(PLUG, "OPERATION_NOT_ALLOWED", "An optical drive of an HVM guest cannot be hot-plugged");
    w->vm.domain_type = DOMAIN_TYPE_PV;
    VBD(PLUG, NULL, "");
}

static void discs_change_in_drives_only(void **ctx)
{
    struct world_of *w = *ctx;

    VBD(EJECT, "VBD_NOT_REMOVABLE_MEDIA", VBD_REF);
    w->vbd.type = VBD_TYPE_CD;
    w->vbd.mode = VBD_MODE_RO;
    assert_string_equal(vbd_list(w), "attach eject");
    VBD(INSERT, "VBD_NOT_EMPTY", VBD_REF);
    w->vbd.empty = true;
    w->vbd.VDI = REF_NULL;
    assert_string_equal(vbd_list(w), "attach insert");
    VBD(EJECT, "VBD_IS_EMPTY", VBD_REF);
    w->vm.power_state = VM_POWER_STATE_HALTED;
    assert_string_equal(vbd_list(w), "attach insert");
    w->vm.power_state = VM_POWER_STATE_SUSPENDED;
    VBD(INSERT, "VM_BAD_POWER_STATE", VM_REF "|halted, paused, running|suspended");
}

static void one_writer_or_many_readers(void **ctx)
{
    struct world_of *w = *ctx;

    w->vm.domain_type = DOMAIN_TYPE_PV;
    w->other_vbd.currently_attached = true;
    VBD(PLUG, "VDI_IN_USE", VDI_REF "|plug");
    w->vbd.mode = VBD_MODE_RO;
    VBD(PLUG, "VDI_IN_USE", VDI_REF "|plug");
    w->other_vbd.mode = VBD_MODE_RO;
    VBD(PLUG, NULL, "");
    w->vbd.mode = VBD_MODE_RW;
    VBD(PLUG, "VDI_IN_USE", VDI_REF "|plug");
    w->vdi.sharable = true;
    VBD(PLUG, NULL, "");
    w->vdi.read_only = true;
    VBD(PLUG, "VDI_READONLY", VDI_REF);
    w->vdi.read_only = false;
    w->vdi.current_operations = BUSY("OpaqueRef:t", VDI_OPERATIONS_RESIZE);
    VBD(PLUG, "OTHER_OPERATION_IN_PROGRESS", "VDI|" VDI_REF "|resize|OpaqueRef:t");
    w->vdi.current_operations = BUSY("OpaqueRef:t", VDI_OPERATIONS_MIRROR);
    VBD(PLUG, NULL, "");
    w->vdi.managed = false;
    VBD(PLUG, "VDI_NOT_MANAGED", VDI_REF);
}

static void cards_are_plugged_into_live_vms(void **ctx)
{
    struct world_of *w = *ctx;

    derive_vif_allowed_operations(&w->v, &w->a, &w->vif, &w->ops);
    assert_string_equal(fake_names(&w->ops, &vif_operations_info), "attach plug");
    w->vif.currently_attached = true;
    derive_vif_allowed_operations(&w->v, &w->a, &w->vif, &w->ops);
    assert_string_equal(fake_names(&w->ops, &vif_operations_info), "attach unplug");
    VIF(PLUG, "DEVICE_ALREADY_ATTACHED", VIF_REF);
    w->network.inv.PIFs = REFS("OpaqueRef:pif");
    VIF(UNPLUG, NULL, "");
    w->pif.inv.sriov_logical_PIF_of = REFS("OpaqueRef:sriov");
    VIF(UNPLUG, "OPERATION_NOT_ALLOWED", "A VIF on an SR-IOV network cannot be hot-plugged");
    w->vm.power_state = VM_POWER_STATE_SUSPENDED;
    VIF(UNPLUG, "VM_BAD_POWER_STATE", VM_REF "|paused, running|suspended");
    w->vif.VM = REF_NULL;
    VIF(PLUG, "HANDLE_INVALID", "VM|" REF_NULL);
}

static const char *sr_list(struct world_of *w)
{
    derive_sr_allowed_operations(&w->v, &w->a, &w->sr, &w->ops);
    return fake_names(&w->ops, &storage_operations_info);
}

static void a_repository_does_one_thing_at_a_time(void **ctx)
{
    struct world_of *w = *ctx;

    assert_string_equal(sr_list(w),
                        "scan plug unplug update vdi_create vdi_destroy vdi_resize vdi_clone "
                        "vdi_snapshot vdi_mirror vdi_enable_cbt vdi_disable_cbt vdi_data_destroy "
                        "vdi_list_changed_blocks pbd_create pbd_destroy");
    w->sr.current_operations = BUSY("OpaqueRef:t", STORAGE_OPERATIONS_PLUG);
    assert_string_equal(sr_list(w), "plug");
    SR(SCAN, "OTHER_OPERATION_IN_PROGRESS", "SR|" SR_REF "|plug|OpaqueRef:t");
    w->sr.current_operations = BUSY("OpaqueRef:t", STORAGE_OPERATIONS_SCAN);
    SR(PLUG, "OTHER_OPERATION_IN_PROGRESS", "SR|" SR_REF "|scan|OpaqueRef:t");
    assert_string_equal(sr_list(w), "");
    /* Images exclude each other themselves. */
    w->sr.current_operations = BUSY("OpaqueRef:t", STORAGE_OPERATIONS_VDI_CREATE);
    SR(VDI_CLONE, NULL, "");
    SR(SCAN, "OTHER_OPERATION_IN_PROGRESS", "SR|" SR_REF "|vdi_create|OpaqueRef:t");
    SR(PLUG, "OTHER_OPERATION_IN_PROGRESS", "SR|" SR_REF "|vdi_create|OpaqueRef:t");
}

static void a_repository_is_destroyed_unplugged_and_empty(void **ctx)
{
    struct world_of *w = *ctx;
    struct host_rec host = host_rec_default;

    SR(DESTROY, "SR_HAS_PBD", SR_REF);
    SR(FORGET, "SR_HAS_PBD", SR_REF);
    w->pbd.currently_attached = false;
    assert_string_equal(sr_list(w), "destroy forget plug unplug pbd_create pbd_destroy");
    SR(SCAN, "SR_HAS_NO_PBDS", SR_REF);
    w->sr.inv.VDIs = REFS(VDI_REF);
    SR(DESTROY, "SR_NOT_EMPTY", "");
    SR(FORGET, NULL, "");
    w->vdi.type = VDI_TYPE_RRD;
    SR(DESTROY, NULL, "");
    w->sr.local_cache_enabled = true;
    SR(DESTROY, NULL, "");
    host.self = "OpaqueRef:host";
    host.local_cache_sr = SR_REF;
    fake_add(&w->v, CLASS_HOST, &host);
    SR(DESTROY, "SR_IS_CACHE_SR", "OpaqueRef:host");
    w->sr.other_config = CONFIG("indestructible", "true");
    SR(DESTROY, "SR_INDESTRUCTIBLE", SR_REF);
    w->sr.inv.PBDs.n = 0;
    SR(DESTROY, "SR_HAS_NO_PBDS", SR_REF);
    SR(FORGET, NULL, "");
    w->sr.type = "unknown";
    SR(VDI_CREATE, "SR_OPERATION_NOT_SUPPORTED", SR_REF);
}

static const char *host_list(struct view *v, struct arena *a, const struct host_rec *host)
{
    struct set_enum ops;

    derive_host_allowed_operations(v, a, host, &ops);
    return fake_names(&ops, &host_allowed_operations_info);
}

static void assert_host(const struct view *v, const struct host_rec *host,
                        enum host_allowed_operations op, const char *code, const char *params)
{
    assert_refusal(host_op_check(v, host, op), code, params);
}

static void hosts_fill_or_empty(void **ctx)
{
    struct world_of *w = *ctx;
    struct view *v = &w->v;
    struct host_rec host = host_rec_default;
    struct host_metrics_rec metrics = host_metrics_rec_default;

    host.self = "OpaqueRef:host";
    host.metrics = metrics.self = "OpaqueRef:metrics";
    host.enabled = metrics.live = true;
    fake_add(v, CLASS_HOST_METRICS, &metrics);
    assert_string_equal(host_list(v, &w->a, &host), "provision evacuate vm_start vm_resume "
                                                    "vm_migrate apply_updates enable");
    assert_host(v, &host, HOST_ALLOWED_OPERATIONS_REBOOT, "HOST_NOT_DISABLED", "");
    assert_host(v, &host, HOST_ALLOWED_OPERATIONS_POWER_ON, "HOST_IS_LIVE", "OpaqueRef:host");
    host.enabled = false;
    assert_string_equal(host_list(v, &w->a, &host),
                        "evacuate shutdown reboot apply_updates enable");
    assert_host(v, &host, HOST_ALLOWED_OPERATIONS_VM_START, "HOST_DISABLED", "OpaqueRef:host");
    host.enabled = true;
    host.current_operations = BUSY("OpaqueRef:t", HOST_ALLOWED_OPERATIONS_EVACUATE);
    assert_host(v, &host, HOST_ALLOWED_OPERATIONS_VM_START, "OTHER_OPERATION_IN_PROGRESS",
                "host|OpaqueRef:host|evacuate|OpaqueRef:t");
    host.current_operations = BUSY("OpaqueRef:t", HOST_ALLOWED_OPERATIONS_VM_START);
    assert_host(v, &host, HOST_ALLOWED_OPERATIONS_VM_START, NULL, "");
    assert_host(v, &host, HOST_ALLOWED_OPERATIONS_EVACUATE, "OTHER_OPERATION_IN_PROGRESS",
                "host|OpaqueRef:host|vm_start|OpaqueRef:t");
    host.current_operations.n = 0;
    metrics.live = false;
    assert_host(v, &host, HOST_ALLOWED_OPERATIONS_VM_START, "HOST_NOT_LIVE", "");
    assert_host(v, &host, HOST_ALLOWED_OPERATIONS_POWER_ON, "HOST_POWER_ON_MODE_DISABLED", "");
    host.power_on_mode = "wake-on-lan";
    assert_string_equal(host_list(v, &w->a, &host), "power_on");
}

static void the_pool_changes_one_way_at_a_time(void **ctx)
{
    struct world_of *w = *ctx;
    struct error *why = NULL;

    assert_refusal(pool_op_check(&w->v, &w->pool, POOL_ALLOWED_OPERATIONS_HA_ENABLE), NULL, "");
    assert_refusal(pool_op_check(&w->v, &w->pool, POOL_ALLOWED_OPERATIONS_HA_DISABLE),
                   "HA_NOT_ENABLED", "");
    w->pool.ha_enabled = true;
    assert_refusal(pool_op_check(&w->v, &w->pool, POOL_ALLOWED_OPERATIONS_HA_ENABLE),
                   "HA_IS_ENABLED", "");
    assert_refusal(pool_op_check(&w->v, &w->pool, POOL_ALLOWED_OPERATIONS_EJECT), "HA_IS_ENABLED",
                   "");
    w->pool.current_operations = BUSY("OpaqueRef:t", POOL_ALLOWED_OPERATIONS_HA_DISABLE);
    assert_refusal(pool_op_check(&w->v, &w->pool, POOL_ALLOWED_OPERATIONS_CLUSTER_CREATE),
                   "HA_DISABLE_IN_PROGRESS", "");
    w->pool.current_operations = BUSY("OpaqueRef:t", POOL_ALLOWED_OPERATIONS_EJECT);
    assert_false(pool_op_allowed(&w->v, &w->pool, POOL_ALLOWED_OPERATIONS_HA_DISABLE, true, &why));
    assert_refusal(why, "OTHER_OPERATION_IN_PROGRESS", "pool|OpaqueRef:pool|eject|OpaqueRef:t");
}

static void tasks_offer_cancel_until_they_end(void **ctx)
{
    struct world_of *w = *ctx;
    struct task_rec task = task_rec_default;

    task.status = TASK_STATUS_TYPE_PENDING;
    derive_task_allowed_operations(&w->v, &w->a, &task, &w->ops);
    assert_string_equal(fake_names(&w->ops, &task_allowed_operations_info), "cancel");
    task.current_operations = BUSY("OpaqueRef:t", TASK_ALLOWED_OPERATIONS_CANCEL);
    derive_task_allowed_operations(&w->v, &w->a, &task, &w->ops);
    assert_int_equal(w->ops.n, 0);
    task.current_operations.n = 0;
    task.status = TASK_STATUS_TYPE_SUCCESS;
    derive_task_allowed_operations(&w->v, &w->a, &task, &w->ops);
    assert_int_equal(w->ops.n, 0);
    assert_true(task_op_allowed(&w->v, &task, TASK_ALLOWED_OPERATIONS_DESTROY, false, NULL));
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_disk_in_use_allows_less),
        RULE(only_copies_of_a_disk_run_together),
        RULE(a_disk_needs_its_repository),
        RULE(kinds_of_disks_have_rules),
        RULE(changed_block_tracking_has_rules),
        RULE(disks_are_plugged_into_live_vms),
        RULE(hvm_guests_must_be_able_to_hotplug),
        RULE(hvm_guests_take_no_drives_or_read_only_disks),
        RULE(discs_change_in_drives_only),
        RULE(one_writer_or_many_readers),
        RULE(cards_are_plugged_into_live_vms),
        RULE(a_repository_does_one_thing_at_a_time),
        RULE(a_repository_is_destroyed_unplugged_and_empty),
        RULE(hosts_fill_or_empty),
        RULE(the_pool_changes_one_way_at_a_time),
        RULE(tasks_offer_cancel_until_they_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
