/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The objects a command works on: picked by "vm=", "host=", "sr=" or by any field. Words that are
 * parameters of the command itself pick nothing. More than one needs --multiple.
 */

#include "cli/command.h"

struct selected {
    char *ref;
    char *uuid;
};

struct selection VEC(struct selected);

void selection_fini(struct selection *s);
/* All that match; none is no error. */
_must_check_ struct error *select_objects(struct xe *x, struct selection *ret);

typedef struct error *selected_fn(struct xe *x, const struct selected *one, void *ctx);

/* Calls fn for each. Fails if there is none, or too many. With --multiple failures of single
 * objects are told and the others are done. */
_must_check_ struct error *for_selected(struct xe *x, selected_fn *fn, void *ctx);
