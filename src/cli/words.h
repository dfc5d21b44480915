/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The words behind the name of a command: "key=value" pairs in order, the same key any number of
 * times. "--key" is key=true. Keys and values belong to the list.
 */

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdint.h>

struct word {
    char *key;
    char *value;
};

struct words VEC(struct word);

void words_fini(struct words *w);
void words_add(struct words *w, const char *key, const char *value);
/* Reads the arguments of one command. */
_must_check_ struct error *words_parse(struct words *w, char *const *args, size_t n);

/* The first value; NULL, or the default. */
const char *words_find(const struct words *w, const char *key);
const char *words_get(const struct words *w, const char *key, const char *fallback);

/* Every further function fails with the text xe shows for a value it cannot read. */
_must_check_ struct error *words_bool(const struct words *w, const char *key, bool fallback,
                                      bool *ret);
_must_check_ struct error *words_int(const struct words *w, const char *key, int64_t fallback,
                                     int64_t *ret);
/* Bytes, or with one of the units KiB MiB GiB TiB. The word must be there. */
_must_check_ struct error *words_size(const struct words *w, const char *key, int64_t *ret);
_must_check_ struct error *size_parse(const char *name, const char *text, int64_t *ret);
_must_check_ struct error *bool_parse(const char *name, const char *text, bool *ret);

/* The part of a key behind "name:" or "name-" (the old form); NULL if it is another key. */
const char *word_map_key(const struct word *w, const char *name);

/* Adds a word as a shell wants to see it. */
void shell_add(struct str *out, const char *word);

/* Is this a word of xe itself, never a filter? */
bool word_is_standard(const char *key);
