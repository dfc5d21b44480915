/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Waiting for a guest to do what it was asked. Woken by the VM's metrics (host events touch them),
 * and looks at the domain itself now and then, so that a lost event costs a moment only.
 */

#include "task/plan.h"

void guest_set_patience(struct plan *p, int64_t us); /* in the body */
struct error *guest_ask(struct plan *p, const char *signal);
/* While waiting: asks once more if hostd was away since, who may have missed what the guest did. */
void guest_ask_again(struct plan *p, const char *signal);
/* Deadlines are mono_us; they start anew when the daemon does. */
int64_t guest_deadline(struct plan *p);
/* For act to return: until something happened to this guest, or it is time to look again. */
_must_check_ struct error *guest_wait(struct plan *p);
_must_check_ struct error *guest_is_stopped(struct plan *p, bool *ret);
/* VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT: neither ACPI nor an agent says that a request was heard, so a
 * guest that is not done in time counts as one that did not listen. */
struct error *guest_too_slow(struct plan *p);
