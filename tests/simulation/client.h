/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A client of the API: keeps a session, logs in again after the daemon went away. */

#include "simulation/front.h"
#include "simulation/random.h"

struct client {
    char name[16];
    char session[64]; /* "" = none */
};

/* params: stolen, without the session. Waits for a daemon that is not there. Ends the run if there
 * is no answer in an hour. */
struct answer client_call(struct client *c, const char *method, json_t *params);
/* The same once more and again while the daemon went away under it. */
struct answer client_insist(struct client *c, const char *method, json_t *params);
