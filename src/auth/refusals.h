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

/* r may be NULL, here and below: nothing is counted. */
void refusals_add(struct refusals *r, const struct refused_client *who);
/*
 * Forgets them all and appends what there was, as text of a message FAILED_LOGIN_ATTEMPTS; false:
 * nothing was refused.
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
bool refusals_take(struct refusals *r, struct str *out);
