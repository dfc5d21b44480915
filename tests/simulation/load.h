/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Clients that do a bit of everything, to shared and to own objects. */

#include "simulation/random.h"

struct load_config {
    struct chance *chance;
    unsigned clients;
    unsigned calls; /* of each client */
};

/* A storage repository and some VMs with disks; without accidents. */
void load_prepare(const struct load_config *c);
void load_start(void);
bool load_done(void);
unsigned long load_calls(void);
/* Reference of the repository, its uuid. */
const char *load_sr(void);
