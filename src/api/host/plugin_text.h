/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What plugins and extensions read and write: XML-RPC calls and responses whose values may be of
 * any type. Pure.
 */

#include "base/error.h"
#include "base/str.h"

#include <jansson.h>

/* A methodCall; params is an array. */
void plugin_call_text(struct str *out, const char *method, const json_t *params);
/* From a methodResponse: the value, {"Status": "Success", "Value": value} being the same. Failures
 * are API errors: what the program says itself, else XENAPI_PLUGIN_FAILURE. The caller owns *ret.
 */
_must_check_ struct error *plugin_answer(const char *text, json_t **ret);
