/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Objects of a class as records; the commands list and param-list. */

#include "cli/command.h"
#include "cli/field.h"

struct columns VEC(const struct xe_field *);

const struct xe_class *class_of_command(const char *command, const struct xe_verb **ret_verb);
/* The visible columns named in "a,b,c" or "all"; NULL: those shown by default. Always in the order
 * of the class; unknown names are left out. */
void columns_choose(const struct xe_class *c, const char *asked, struct columns *ret);
/* cheap: columns that cost a call each are not read. */
_must_check_ struct error *row_record(struct store *s, struct table *t, const struct row *r,
                                      const struct columns *columns, bool cheap,
                                      struct record *ret);
/* Fetches one object and prints it as a record. */
_must_check_ struct error *show_object(struct xe *x, struct store *s, const struct xe_class *c,
                                       const char *ref, const struct columns *columns);

_must_check_ struct error *list_class(struct xe *x, const struct xe_class *c);
_must_check_ struct error *param_list(struct xe *x, const struct xe_class *c);

/* params.c */
_must_check_ struct error *param_get(struct xe *x, const struct xe_class *c);
_must_check_ struct error *param_set(struct xe *x, const struct xe_class *c);
_must_check_ struct error *param_add(struct xe *x, const struct xe_class *c);
_must_check_ struct error *param_remove(struct xe *x, const struct xe_class *c);
_must_check_ struct error *param_clear(struct xe *x, const struct xe_class *c);

/* recover.c: runs a command of a class on the database named by database:..., if one is. */
_must_check_ struct error *with_database(struct xe *x,
                                         struct error *(*run)(struct xe *x,
                                                              const struct xe_class *c),
                                         const struct xe_class *c);
