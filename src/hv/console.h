/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Text consoles of domains. One thread (the hub) reads every guest's serial line, keeps the last
 * CONSOLE_RING bytes of each and copies them to any number of viewers, so that a console opened
 * late shows what was said before and several people see the same.
 *
 * The kept text lies in a small mapped file and so survives this process. What a guest says while
 * nobody reads (this program restarting) is found in its log: a file to which the hypervisor
 * appends all that is said, and which is cut to nothing here each time CONSOLE_LOG bytes have been
 * read. While nobody cuts it, it takes BOUNDED_FILE_ROOM bytes; what the guest says then is lost.
 *
 * A viewer too slow for the guest misses bytes: the guest never waits for a viewer. What viewers
 * type goes to the guest in the order it came; a guest that does not read makes viewers wait.
 *
 * Any thread may call; nothing blocks but the hub's lock (microseconds).
 */

#include "base/error.h"

#define CONSOLE_RING    (64u << 10)
#define CONSOLE_LOG     (256u << 10)
#define CONSOLE_VIEWERS 32 /* of one console */

struct console_hub;
struct console;

_must_check_ struct error *console_hub_start(struct console_hub **ret);
/* All consoles must be closed before. */
void console_hub_stop(struct console_hub *hub);

/* Takes fd, the guest's end (a stream socket on which the hypervisor already writes, or a raw
 * terminal opened non-blocking; taken in any case); -1 makes a console that echoes, for guests that
 * do not exist. ring_path is created when absent. log_path: a base/bounded_file.h; NULL = there is
 * none. */
_must_check_ struct error *console_open(struct console_hub *hub, int fd, const char *ring_path,
                                        const char *log_path, struct console **ret);
/* Ends all its viewers. NULL is accepted. */
void console_close(struct console *c);
/* A new viewer (EBUSY if there are too many): the caller owns the connected socket, which begins
 * with the kept text. */
_must_check_ struct error *console_view(struct console *c, int *ret_fd);
/* Text as if the guest had written it (simulated guests, notes). */
void console_say(struct console *c, const char *text);
