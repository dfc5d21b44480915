/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Picks values out of JSON text without building a tree: an answer with all records of a class has
 * megabytes, of which a list shows a few columns. Nothing is copied; slices point into the text.
 *
 * The text comes from a server that was asked: what is not looked at is skipped by its brackets and
 * quotes alone. Whatever the text is, nothing outside of it is read.
 */

#include "base/str.h"

struct slice {
    const char *p;
    size_t n; /* 0 = there is none: every JSON value has bytes */
};

struct skim {
    const char *p;
    const char *end;
    char close; /* '}' or ']' */
    bool bad;   /* the text is no JSON */
};

/* Starts at the members of an object or the items of an array; false: it is neither. */
bool skim_enter(struct slice value, struct skim *ret);
/* The next key without its quotes; false at the end. To be followed by skim_value or skim_open. */
bool skim_key(struct skim *s, struct slice *ret);
bool skim_value(struct skim *s, struct slice *ret);
/* Goes into the object or array that is the value: *ret moves on inside it, and the outer one is
 * given up. */
bool skim_open(struct skim *s, struct skim *ret);
/* The next item of an array; false at the end. */
bool skim_item(struct skim *s, struct slice *ret);

bool slice_is(struct slice s, const char *text);
bool slice_is_null(struct slice s);
static inline bool slice_is_string(struct slice s)
{
    return s.n >= 2 && s.p[0] == '"';
}
/* Text of a JSON string, or a number, true or false as they stand; added to out. */
void slice_text(struct slice s, struct str *out);
