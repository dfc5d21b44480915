/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the generator says of each message (callable method). messages[] (gen/messages.h) is indexed
 * by enum msg_id and sorted by name. Constant data, any thread.
 *
 * Parameters on the wire: the session first unless MSG_NO_SESSION, then
 *   args != NULL   the fields of args in order; those without FIELD_REQUIRED may be left off from
 *                  the right and then have the value in args->defaults
 *   args == NULL   by kind: GET_RECORD, GET_FIELD (self); GET_BY_UUID (uuid); GET_BY_NAME_LABEL
 *                  (label); GET_ALL, GET_ALL_RECORDS (); *_WHERE (expr); SET_FIELD, ADD_FIELD,
 *                  REMOVE_FIELD (self, value); ADD_TO_FIELD (self, key, value);
 *                  REMOVE_FROM_FIELD (self, key); types come from the field
 * A message with neither body, refusal nor MSG_GENERIC is missing: nobody has written it yet.
 */

#include "value/type.h"

#include <stddef.h>

struct call;
struct error;

enum message_kind {
    MSG_EXPLICIT,
    MSG_GET_RECORD,
    MSG_GET_BY_UUID,
    MSG_GET_BY_NAME_LABEL,
    MSG_GET_ALL,
    MSG_GET_ALL_WHERE,
    MSG_GET_ALL_RECORDS,
    MSG_GET_ALL_RECORDS_WHERE,
    MSG_CREATE,
    MSG_DESTROY,
    MSG_GET_FIELD,
    MSG_SET_FIELD,
    MSG_ADD_FIELD,    /* a member to a set */
    MSG_REMOVE_FIELD, /* a member from a set */
    MSG_ADD_TO_FIELD, /* a key to a map */
    MSG_REMOVE_FROM_FIELD,
    MSG_KIND_MAX
};

enum message_flags {
    MSG_ASYNC = 1 << 0,         /* may be called as Async.X */
    MSG_NO_SESSION = 1 << 1,    /* has no session parameter */
    MSG_HIDDEN = 1 << 2,        /* callable, but left out of the published documentation */
    MSG_POOL_INTERNAL = 1 << 3, /* for sessions between hosts only */
    MSG_SECRET = 1 << 4,        /* arguments never reach a log */
    MSG_REMOVED = 1 << 5,       /* answers MESSAGE_REMOVED */
    MSG_CUSTOM_RESULT = 1 << 6, /* the body writes the result itself; ret is NULL */
    MSG_EMERGENCY = 1 << 7,     /* answered even while the daemon has no store */
    MSG_NO_CURRENT_OPERATIONS = 1 << 8,
    MSG_EFFECT = 1 << 9,   /* does more than read or write a row */
    MSG_GENERIC = 1 << 10, /* served from the tables, without a body */
    /* How the body behaves; exactly one of these if there is a body. */
    MSG_READ = 1 << 16,  /* only reads; finishes on the caller's thread */
    MSG_WRITE = 1 << 17, /* one transaction, no side effects: may be run again on a conflict */
    MSG_PLAN = 1 << 18,  /* makes a plan, which a task carries out */
    MSG_PARK = 1 << 19,  /* waits for something (event.from) without holding a thread */
    MSG_SLOW = 1 << 20,  /* asks another program and may block; runs on a worker */
};

/* Other roles for one key of a map; the first that fits is taken. */
struct key_role {
    const char *key;        /* NULL ends the list */
    bool prefix;            /* all keys that begin so */
    uint32_t roles;         /* mask of ROLE_BIT() */
    const char *permission; /* "vm.add_to_other_config/key:folder" */
};

struct message {
    const char *name;       /* "VM.start" */
    const char *permission; /* "vm.start" */
    uint16_t class_id;
    uint8_t kind;       /* enum message_kind */
    uint8_t n_required; /* parameters without default, the session not counted */
    int16_t field;      /* index in the class's field table, -1 = none */
    const struct struct_info *args;
    const struct type *result;
    uint32_t flags;                   /* enum message_flags */
    uint32_t roles;                   /* mask of ROLE_BIT(); 0 = no role suffices */
    const struct key_role *key_roles; /* NULL = none */
    /* args: the struct of args; ret: where the result goes, NULL for void and custom results. */
    struct error *(*body)(struct call *c, const void *args, void *ret);
    const char *const *refusal; /* code, parameters, NULL: what is answered instead of a body */
};
