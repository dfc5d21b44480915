/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A batch of events in the wire form of the listener, as pieces: the records of objects are the
 * encoded forms kept with their versions, so a thousand listeners cost one encoding and no copy.
 *
 * Order (XenAPI wire rules): messages first, then all additions, changes, deletions, each in the
 * order in which they happened. Pure; any thread.
 */

#include "base/arena.h"
#include "model/store.h"

#include <sys/uio.h>

/* Memory of the arena, and of versions that it keeps. */
struct encoded {
    struct iovec *v;
    size_t n;
};

/* The result of event.from: events, valid_ref_counts of the classes of interest, token. Takes what
 * is in c. */
void event_batch_encode(struct arena *a, enum wire_form form, struct changes *c,
                        const struct interest *i, struct encoded *ret);
/* The result of event.next: the array of events alone. now_us: wall clock for the timestamps. */
void event_list_encode(struct arena *a, enum wire_form form, struct changes *c, int64_t now_us,
                       struct encoded *ret);
