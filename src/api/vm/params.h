/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Settings of a VM that must fit together or be of a known kind. Checked when a VM is made and
 * before each start; between, clients change one at a time and may pass through states that do not
 * fit. Pure.
 */

#include "base/error.h"
#include "gen/class/VM.h"

/* INVALID_VALUE ["HVM-boot-params['firmware']", x] unless it is bios, uefi or absent. */
_must_check_ struct error *firmware_check(const struct map_string_string *boot_params);
/* Keys of VM.platform with rules: cores-per-socket, tsc_mode, usb, parallel. */
_must_check_ struct error *platform_check(const struct map_string_string *platform,
                                          int64_t vcpus_max);
/* The value of one key, as far as it can be judged alone. */
_must_check_ struct error *platform_key_check(const char *key, const char *value);
/* INVALID_VALUE unless it is "", restart or best-effort. */
_must_check_ struct error *ha_priority_check(const char *priority);

/* All of the above, memory, processors, delays: what a VM is made with. */
_must_check_ struct error *vm_settings_check(const struct vm_rec *vm);

/* Bytes the VM costs beyond its own memory: VM.memory_overhead. */
int64_t vm_memory_overhead(const struct vm_rec *vm);

/* HVM_boot_policy and domain_type say the same in an old and a new way. */
int domain_type_of_policy(const char *policy); /* enum domain_type */
const char *policy_of_domain_type(int domain_type);
