/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * JSON form of values: on the wire (JSON-RPC), in the database and between the daemons.
 * Encoding appends text; decoding starts from a jansson tree, which is also what the XML-RPC
 * reader produces, so the rules of acceptance live here once:
 *   int        integer, or a decimal string
 *   float      number or numeric string
 *   bool       true/false; the string "1" or "true" is true, any other string false
 *   string     string only (an integer is refused)
 *   datetime   "YYYYMMDDTHH:MM:SSZ", extended ISO form accepted, missing zone = UTC
 *   enum       name, any case unless enum_info.exact
 *   set, map   array, object (keys as text; unknown members of a record are ignored)
 * Errors name the place: FIELD_TYPE_ERROR [what] for a wrong kind (inside a record: the member's
 * name), with what was expected and found as detail; VALUE_NOT_SUPPORTED-like codes are left to
 * callers. Sources: XenAPI wire rules, JSON-RPC 2.0.
 *
 * Writing: absent options are left out of records and are null elsewhere; void is ""; floats take
 * the shortest of 16 or 17 digits that reads back the same (what is not finite has no JSON form:
 * NaN becomes 0, an infinity the largest number). Texts must be valid UTF-8, as the parsers ensure.
 * LC_NUMERIC must be the C locale.
 */

#include "base/error.h"
#include "base/str.h"
#include "value/value.h"

#include <jansson.h>

/* Deepest nesting accepted from outside. */
#define VALUE_MAX_DEPTH 32

void json_add_string(struct str *out, const char *s); /* quoted and escaped */
void json_add_value(struct str *out, const struct type *t, const void *p);
/* A record as an object with the fields that have any flag of `with` (0 = all) and none of
 * `without`. */
void json_add_record(struct str *out, const struct struct_info *si, const void *rec, uint32_t with,
                     uint32_t without);

/*
 * The stored fields of a record, as a row of the database keeps them. A field that is empty (zero,
 * false, the null reference) and has an empty default is left out: record_from_json over record_new
 * gives it back, and rows are a few times smaller. So a stored field's default must never change
 * from empty to something else.
 */
void json_add_stored(struct str *out, const struct struct_info *si, const void *rec);
/* The same for the fields that have any flag of `with`. */
void json_add_filled(struct str *out, const struct struct_info *si, const void *rec, uint32_t with);

/* Text for a map key or a filter: strings as they are, integers decimal, enums by name. */
void value_add_key(struct str *out, const struct type *t, const void *p);

/* Strings are copied into the arena; opaque JSON (K_ANY) is borrowed from the tree. */
_must_check_ struct error *value_from_json(struct arena *a, const struct type *t, const json_t *j,
                                           const char *what, void *ret);
/* Members absent keep what *rec holds (defaults); unknown members are reported through `unknown` if
 * given (it is added to with json_object_set, for keeping what a newer version wrote). */
_must_check_ struct error *record_from_json(struct arena *a, const struct struct_info *si,
                                            const json_t *j, void *rec, json_t *unknown);
/*
 * The same from the text that json_add_stored wrote, many times as quick, for all rows of a start.
 * False: something is not as that function writes it (a member this program does not know, another
 * hand); *rec is half filled, and json_parse with record_from_json has the word. Never for text of
 * strangers: UTF-8 is not checked.
 */
_must_check_ bool record_from_row(struct arena *a, const struct struct_info *si, const char *text,
                                  size_t len, void *rec);
/* The first field flagged REQUIRED that the object lacks; NULL = none. */
const struct field *record_missing(const struct struct_info *si, const json_t *j);
/* Parses text with limits (size is the caller's affair; depth here). The caller owns *ret. */
_must_check_ struct error *json_parse(const char *text, size_t len, json_t **ret);

/* "20240131T12:34:56Z"; years outside 0000-9999 are clamped. */
void datetime_add(struct str *out, int64_t t);
_must_check_ struct error *datetime_parse(const char *s, int64_t *ret);

/* An API error as {"code", "params"}, and back; the caller owns both. NULL = it is none. */
json_t *error_to_json(const struct error *e);
struct error *error_from_json(const json_t *j);

/* Once, before anything else: jansson's memory is ours, so that running out of it ends the program
 * instead of leaving a member out; and a thread keeps up to 64 KiB of what it freed for its next
 * trees. */
void json_own_memory(void);

static inline void cleanup_json(json_t **j)
{
    if (*j)
        json_decref(*j);
}

#define _cleanup_json_ _cleanup_(cleanup_json)
