/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files behind vdi.h share. All with the SR's lock held. */

#include "storage/sr_internal.h"

/* Limits of what a client gives. */
_must_check_ struct error *vdi_check_new(const char *uuid, const struct map *props);
_must_check_ struct error *vdi_round_size(int64_t size, enum image_format format, int64_t *ret);
void vdi_take_props(struct vdi *v, const struct map *props);

/* A VDI on a node, with its record. `like` gives the flags of a snapshot, NULL = none. */
_must_check_ struct error *sr_add_vdi(struct sr *sr, const char *uuid, struct node *n,
                                      struct vdi **ret, const struct vdi *like,
                                      const struct map *props);
/* The caller frees with vdi_info_fini. */
void sr_describe_vdi(struct sr *sr, struct vdi *v, struct vdi_info *ret);
/* What a guest wrote has reached the owner: nothing of it waits in the host's memory. */
_must_check_ struct error *guest_device_flush(const struct sr *sr, const struct owner *o);
