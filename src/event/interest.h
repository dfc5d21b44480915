/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a listener wants to hear of: the texts of event.from and event.register as a struct
 * interest. "*" is every class with events; a class name may have any case; "class/reference" is
 * one object. Pure; any thread.
 */

#include "base/error.h"
#include "gen/types.h"
#include "model/store.h"

/* Single objects one listener may name: each costs a comparison per change. */
#define INTEREST_MAX_REFS 1000

/* Memory from a; nothing to free. EVENT_SUBSCRIPTION_PARSE_FAILURE [text] for an unknown one. */
_must_check_ struct error *interest_parse(struct arena *a, const struct set_string *texts,
                                          struct interest *ret);
