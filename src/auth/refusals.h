/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Passwords that were refused since somebody last asked: how often, and whose. At most
 * REFUSED_CLIENTS are told apart by name, originator, address and program; of others there is the
 * number alone. What strangers say of themselves is cut after REFUSED_WORD bytes.
 *
 * Any thread; one lock, held for a look-up.
 */

#include "base/str.h"

#include <stdint.h>

#define REFUSED_CLIENTS 256
#define REFUSED_TOLD    3 /* with all that is known of them */
#define REFUSED_WORD    128

struct refusals;

/* "" = not known. */
struct refused_client {
    const char *user, *originator, *address, *agent;
};

struct refusals *refusals_new(void);
void refusals_free(struct refusals *r);

/* r may be NULL, here and in refusals_take: nothing is counted. */
void refusals_add(struct refusals *r, const struct refused_client *who);
/* Takes out what there is, NULL = nothing was refused: for refusals_tell, and when that was heard
 * refusals_free, else refusals_return. */
struct refusals *refusals_take(struct refusals *r);
/* Puts it back, to what came meanwhile; frees taken. */
void refusals_return(struct refusals *r, struct refusals *taken);
/*
 * Appends what was taken, as text of a message FAILED_LOGIN_ATTEMPTS:
 *
 *     <body>
 *     <total>12</total>              of the clients told apart
 *     <known>                        the REFUSED_TOLD with most
 *     <username>root</username><originator>..</originator><ip>..</ip><useragent>..</useragent>
 *     <number>10</number><date>20260131T12:34:56Z</date>    the last time; a line each
 *     </known>
 *     <unknown>2</unknown>           others
 *     </body>
 *
 * Source: XenAPI servers.
 */
void refusals_tell(const struct refusals *taken, struct str *out);
