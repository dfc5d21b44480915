/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The launch record: launch.json in a domain's directory, written before the process it speaks of
 * starts, and after every change of what is attached. All an adopting hostd knows of a domain that
 * QMP does not tell. The `machine` part also travels with suspend images as opaque text, comes back
 * from outside and is checked again. It is not flushed: a power cut ends the domain too.
 */

#include "hv/qemu/domain.h"

/* With the lock or before the domain is in the table. */
_must_check_ struct error *record_write(const struct domain *d);
_must_check_ struct error *record_read(struct domain *d);

_malloc_ char *machine_text(const struct machine *m);
/* Refuses what this host would not have written. */
_must_check_ struct error *machine_parse(const char *text, const struct hv_caps *caps,
                                         struct machine *ret);
