/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Building and taking apart the messages listed in frame.h. Pure; any thread. */

#include "gen/host_proto.h"
#include "value/json.h"

/* {"id": id, "call": name, "args": {...}} */
void message_add_call(struct str *out, uint64_t id, const struct host_call_info *call,
                      const void *args);
void message_add_result(struct str *out, uint64_t id, const struct host_call_info *call,
                        const void *result);
void message_add_error(struct str *out, uint64_t id, const struct error *e);
void message_add_event(struct str *out, const struct host_event_rec *event);
/* The error an answer carries; EPROTO if it is none. */
_malloc_ struct error *message_error(const json_t *error);
/* A record from outside over its defaults; memory from the arena. */
_must_check_ struct error *message_record(struct arena *a, const struct struct_info *si,
                                          const json_t *j, void *ret);
/* A call taken apart: its number (below HOST_CALL_MAX) and its arguments, in the arena. ENOSYS for
 * an unknown one, FIELD_TYPE_ERROR for arguments that do not fit. */
_must_check_ struct error *message_call(struct arena *a, const json_t *j, int *ret_call,
                                        void **ret_args);
/* -1 = no such call */
int message_find_call(const char *name);
