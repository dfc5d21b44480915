/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by those who make networks. */

#include "model/txn.h"

/* A name for a bridge that no network has: "xapi3". */
const char *network_free_bridge(struct txn *t);
