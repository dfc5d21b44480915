/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A batch of events as text, in the wire form of the listener. The snapshots of objects are the
 * encoded forms kept with their versions, so a thousand listeners cost one encoding.
 *
 * Order (XenAPI wire rules): messages first, then all additions, changes, deletions, each in the
 * order in which they happened. Pure; any thread.
 */

#include "base/str.h"
#include "model/store.h"

/* The result of event.from: events, valid_ref_counts of the classes of interest, token. */
void event_batch_encode(struct str *out, enum wire_form form, const struct changes *c,
                        const struct interest *i);
/* The result of event.next: the array of events alone. now_us: wall clock for the timestamps. */
void event_list_encode(struct str *out, enum wire_form form, const struct changes *c,
                       int64_t now_us);
