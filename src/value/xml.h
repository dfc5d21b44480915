/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * XML-RPC form of values. Writing follows what XenAPI servers send (untagged strings and
 * integers, see wire rules in docs/wire.md); reading turns a methodCall or a lone <value> into a
 * jansson tree, which value/json.h decodes into typed memory.
 *
 * Limits of reading: values nest at most VALUE_MAX_DEPTH deep, a document type (and with it every
 * entity of its own) is refused, the size is the caller's affair. Errors are system errors with the
 * line. An absent option is left out of a record and is <nil/> elsewhere; void is an empty value.
 */

#include "value/json.h"

/* <value>...</value> */
void xml_add_value(struct str *out, const struct type *t, const void *p);
/* <value><struct>...</struct></value> with all fields not INTERNAL */
void xml_add_record(struct str *out, const struct struct_info *si, const void *rec);
/* Text content escaped; what XML cannot say is dropped: control characters other than tab, newline
 * and return, U+FFFE, U+FFFF. */
void xml_add_text(struct str *out, const char *text);

struct xml_call {
    char *method;   /* owned, never empty */
    json_t *params; /* array, owned */
};

void xml_call_fini(struct xml_call *c);
_must_check_ struct error *xml_parse_call(const char *text, size_t len, struct xml_call *ret);
/* A methodResponse: the value of its only parameter; a <fault> is an error. For clients. */
_must_check_ struct error *xml_parse_response(const char *text, size_t len, json_t **ret);
/* The same, but a <fault> is a value as well: *ret_fault says so. */
_must_check_ struct error *xml_parse_answer(const char *text, size_t len, json_t **ret,
                                            bool *ret_fault);
/* One <value> element alone (task results, ova.xml). */
_must_check_ struct error *xml_parse_value(const char *text, size_t len, json_t **ret);
