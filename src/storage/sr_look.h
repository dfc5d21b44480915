/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A look at an SR without attaching it: its records and images as they lie there, nothing locked,
 * written or finished. For checks from outside, also while another process has it attached; what
 * that one changes meanwhile may then be seen half. Any thread; waits for the disk.
 */

#include "storage/sr.h"

struct sr_stray {
    char *name;     /* of a file in the place */
    bool half_made; /* the next attach removes it */
};

struct sr_image_look {
    const struct node *node;
    bool sound;    /* there, readable, and of the format and size its record says */
    int64_t size;  /* found, 0 = unknown */
    bool is_grown; /* larger than its record: a resize was cut off; the next attach finishes it */
};

struct sr_look {
    struct tree tree; /* linked; `broken` only says what the records alone tell */
    bool is_flat;     /* files are VDIs: there are no records */
    struct VEC(struct sr_image_look) images;
    struct VEC(struct sr_stray) strays;
    struct vdi_list unfinished; /* of operations that were cut off; the next attach drops them */
};

/* An error: the place cannot be opened or is another SR's. The caller ends *ret with sr_look_fini.
 */
_must_check_ struct error *sr_look(const struct storage_config *c, const struct sr_spec *spec,
                                   struct sr_look *ret);
void sr_look_fini(struct sr_look *l);
