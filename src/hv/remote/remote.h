/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A hypervisor driver in a program of its own, the *worker*: for drivers whose libraries fork, own
 * SIGCHLD, abort, or are not on every machine (docs/decisions/0010-libxl-in-a-worker.md).
 *
 * In hostd a proxy (remote.c) is the driver; it starts the worker, hands every operation over and
 * starts it again when it ends. The worker's main calls hv_serve with the real driver. They speak
 * frames as in proto/frame.h over the socket the worker has as descriptor 3:
 *
 *   call    {"id": 7, "call": "pause", "args": {"uuid": "..."}}
 *   answer  {"id": 7, "result": ...} or {"id": 7, "error": {...}} as in proto/frame.h
 *   event   {"event": {...}}                                       (worker to hostd only)
 *
 * Answer 0 comes unasked once the driver is open: its caps, or why it is not. Both programs are of
 * one build.
 *
 * A worker may end at any moment: calls in flight fail (EHOSTDOWN) and can be made again, domains
 * go on, the next worker adopts them and tells the state of each as an event.
 */

#include "hv/driver.h"

/* Serves until the other side is gone; then the process is to end at once. again: hostd has had a
 * worker before this one. */
_must_check_ struct error *hv_serve(const struct hv_driver *driver, const struct hv_config *config,
                                    int fd, bool again);
/* The main of a worker. Options: --state DIR, --root DIR ..., --again, --debug. */
int hv_worker_main(const struct hv_driver *driver, const char *program, int argc, char **argv);
