/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The old program's side of a hand-over (SIGHUP): the program that lies at our path now is started
 * and does what needs no store; then this one goes quiet, and the new one opens the store and
 * serves. Clients keep their connections, sessions, tokens and the calls they wait for.
 *
 * A new program that does not get ready changes nothing. One that fails later is replaced by this
 * very program, started anew. Conversation: take_over.h. To be called by the main thread.
 */

#include "daemon/parts.h"

/* False: this program goes on. True: another serves; hand_over_linger is next. Ends the process if
 * neither can be. */
bool hand_over(struct parts *p);
/* Stays for what could not be given away, running transfers and relayed TLS connections. */
void hand_over_linger(struct parts *p);
