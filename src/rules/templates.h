/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The default templates: one row a guest system people install, with the uuids that scripts and
 * clients know. templates_data.c is the list; templates.c turns an entry into the fields of a VM.
 */

#include "base/arena.h"
#include "gen/class/VM.h"

enum template_kind {
    TEMPLATE_LINUX,
    TEMPLATE_WINDOWS,
    TEMPLATE_OTHER, /* install media of anything else */
};

enum template_flags {
    TEMPLATE_UEFI = 1 << 0,  /* firmware; BIOS otherwise */
    TEMPLATE_VTPM = 1 << 1,  /* clients are to create a virtual TPM */
    TEMPLATE_SLATE = 1 << 2, /* tells the guest it runs on a laptop in tablet form */
    TEMPLATE_64BIT = 1 << 3, /* the installer must be told the architecture */
};

struct template_info {
    const char *name_label;
    const char *uuid;
    const char *reference_label; /* clients choose icons and hints by it */
    int min_mib;                 /* least memory; the template starts with twice that */
    int max_gib;                 /* most memory the system is made for */
    int disk_gib;                /* size of the disk provisioning makes, 0 = none */
    enum template_kind kind;
    unsigned flags;
    const char *boot_order; /* "cdn": disk, optical drive, network */
};

extern const struct template_info template_list[];
extern const size_t template_list_n;

/*
 * Sets all fields of a new row (txn_new_vm) that make it this default template, its uuid
 * included. Memory from a. The caller adds metrics or whatever else a new VM gets.
 */
void template_fill(const struct template_info *t, struct arena *a, struct vm_rec *vm);
