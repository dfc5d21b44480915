/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of setup_rows. Each finds its rows or makes them, and updates what the host says. */

#include "gen/host_proto.h"
#include "model/txn.h"
#include "task/daemon.h"

struct setup {
    struct daemon *daemon;
    struct txn *t;
    struct arena *a;
    const struct host_host_facts_result *facts;
    const struct host_host_devices_result *devices;
    int64_t memory_free;
    bool first;       /* there is no pool yet */
    const char *host; /* references, once made */
    const char *pool;
};

_must_check_ struct error *setup_host(struct setup *s);    /* host, metrics, processors */
_must_check_ struct error *setup_dom0(struct setup *s);    /* the control domain */
_must_check_ struct error *setup_network(struct setup *s); /* networks, PIFs */
_must_check_ struct error *setup_storage(struct setup *s); /* drivers, SRs, PBDs */
_must_check_ struct error *setup_pool(struct setup *s);    /* first start only */
_must_check_ struct error *setup_roles(struct setup *s);
_must_check_ struct error *setup_templates(struct setup *s); /* first start only */

/* What the product allows: every feature but one is on. */
struct map_string_string setup_restrictions(struct arena *a);
