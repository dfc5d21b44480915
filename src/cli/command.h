/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A command under way. Commands are functions over it; what they print goes to the printer, what
 * fails is returned. commands.c has the table of all that have code of their own.
 */

#include "cli/failure.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/words.h"
#include "gen/xe_tables.h"

struct xe {
    const struct xe_command *command; /* NULL for list, param-get... of a class */
    struct words words;
    struct client client;
    struct printer printer;
};

typedef struct error *command_fn(struct xe *x);

/* Runs the command named; its words have been read. */
_must_check_ struct error *command_run(struct xe *x, const char *name);
/* NULL: it has no code of its own. */
command_fn *command_find(const char *name);
/* The description of a command, NULL if there is none of that name. */
const struct xe_command *xe_command_find(const char *name);

/* Arguments that many commands have. */
static inline const char *word_or(const struct xe *x, const char *key, const char *fallback)
{
    return words_get(&x->words, key, fallback);
}
/* Reference of the object whose uuid a word gives; NULL reference if it is absent. */
_must_check_ struct error *word_ref(struct xe *x, const char *key, const char *cls, char **ret);
/* The words "name:key=value" as an object. */
json_t *word_map(const struct xe *x, const char *name);
/* A word "a,b,c" as an array; empty if it is absent. */
json_t *word_list(const struct xe *x, const char *key);
/* Prints the uuid of an object. */
_must_check_ struct error *print_uuid(struct xe *x, const char *cls, const char *ref);
/* "uuid (name)" of an object. */
_must_check_ struct error *name_of(struct xe *x, const char *cls, const char *ref, char **ret);
/* The contents of a file of the user, at most 32 MiB. */
_must_check_ struct error *read_user_file(struct xe *x, const char *name, struct str *ret);
/* Asks for "yes". */
_must_check_ struct error *ask(struct xe *x, bool *ret);
/* "--force" is needed. */
_must_check_ struct error *need_force(struct xe *x);
