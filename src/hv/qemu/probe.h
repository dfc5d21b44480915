/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What this host's QEMU can do. Running guests under KVM is tried, not believed: /dev/kvm may exist
 * and accept calls on hosts where a guest's kernel never gets anywhere (nested or emulated
 * virtualization); where the processor itself offers none it is not even tried. The trial takes
 * 0.2 s where KVM works and PROBE_LIMIT_US where it does not; its result is kept for this boot and
 * this QEMU in <state>/kvm-probe.json.
 */

#include "base/error.h"

#include <stdint.h>

struct kvm_probe {
    bool works;
    char *why; /* owned */
};

_must_check_ struct error *kvm_probe(const char *state_dir, const char *qemu_version,
                                     struct kvm_probe *ret);
