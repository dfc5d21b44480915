/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clients of commercial relatives ask which features a licence withholds. Nothing is licensed
 * here; only a feature that this product does not have is named as restricted.
 */
#include "api/common/lists.h"
#include "api/setup/rows.h"

/* Names as XenAPI clients know them. */
static const char *const unrestricted[] = {
    "vlan",
    "qos",
    "pool_attached_storage",
    "netapp",
    "equalogic",
    "pooling",
    "marathon",
    "email_alerting",
    "historical_performance",
    "wlb",
    "rbac",
    "dmc",
    "checkpoint",
    "cpu_masking",
    "connection",
    "vmpr",
    "vmss",
    "intellicache",
    "gpu",
    "dr",
    "vif_locking",
    "storage_xen_motion",
    "vgpu",
    "integrated_gpu_passthrough",
    "vss",
    "guest_agent_auto_update",
    "pci_device_for_auto_update",
    "xen_motion",
    "guest_ip_setting",
    "ad",
    "nested_virt",
    "live_patching",
    "set_vcpus_number_live",
    "pvs_proxy",
    "igmp_snooping",
    "rpu",
    "pool_size",
    "cbt",
    "usb_passthrough",
    "network_sriov",
    "cluster_address",
    "zstd_export",
    "pool_secret_rotation",
    "certificate_verification",
    "updates",
    "internal_repo_access",
    "vtpm",
    "vm_groups",
    "vm_start",
    "vm_appliance_start",
};

struct map_string_string setup_restrictions(struct arena *a)
{
    static const char *const others[] = {
        "enable_xha",
        "true",
        "platform_filter",
        "false",
        "regular_nag_dialog",
        "false",
        "restrict_corosync",
        "true",
        NULL,
    };
    size_t n = ARRAY_SIZE(unrestricted);
    const char **pairs = arena_array(a, const char *, 2 * n + ARRAY_SIZE(others));

    for (size_t i = 0; i < n; i++) {
        pairs[2 * i] = arena_printf(a, "restrict_%s", unrestricted[i]);
        pairs[2 * i + 1] = "false";
    }
    memcpy(pairs + 2 * n, others, sizeof(others));
    return map_of(a, pairs);
}
