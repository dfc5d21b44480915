/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Types as data.
 *
 * Every value that crosses a boundary of Xenolith (XenAPI arguments and results, database rows,
 * messages between the daemons) is plain C memory described by a `struct type`. The generator
 * writes the C struct and its descriptor from the same schema entry, so one codec per wire format
 * serves all of them. Descriptors are constant and may be used from any thread.
 *
 * Memory layout by kind:
 *   STRING, REF      const char *   never NULL once initialised; "" and REF_NULL when empty
 *   SECRET           const char *   as STRING, but never logged
 *   INT              int64_t
 *   FLOAT            double
 *   BOOL             bool
 *   DATETIME         int64_t        seconds since 1970-01-01 UTC
 *   ENUM             int            index into enum_info.names
 *   SET              struct set     n elements laid out one after the other at v
 *   MAP              struct map     n keys at k, n values at v, in insertion order
 *   OPTION           const T *      NULL = absent
 *   RECORD           struct S       embedded by value, described by type.record
 *   VOID             nothing
 *   ANY              struct json_t * (host protocol only: opaque JSON, borrowed)
 * The data behind pointers belongs to whoever owns the memory block or arena it was made in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REF_NULL "OpaqueRef:NULL"

enum kind {
    K_VOID,
    K_STRING,
    K_SECRET,
    K_INT,
    K_FLOAT,
    K_BOOL,
    K_DATETIME,
    K_ENUM,
    K_REF,
    K_SET,
    K_MAP,
    K_OPTION,
    K_RECORD,
    K_ANY,
    K_MAX
};

struct enum_info {
    const char *name;         /* XenAPI spelling of the enum, e.g. "vm_power_state" */
    const char *const *names; /* XenAPI spelling of each value */
    int n;
    bool exact; /* received values are matched case-sensitively (bond_mode, event_operation) */
};

struct type {
    enum kind kind;
    uint16_t class_id;                /* REF, RECORD of a class: enum class_id; 0 = none */
    uint32_t size;                    /* bytes one value takes in memory */
    const struct type *key;           /* MAP */
    const struct type *elem;          /* SET, MAP (value), OPTION */
    const struct enum_info *en;       /* ENUM */
    const struct struct_info *record; /* RECORD */
    const char *text;                 /* as in the schema: "map:string:ref:VM" */
};

/* Layouts shared by all sets and maps; generated code has typed twins with the same layout. */
struct set {
    size_t n;
    const void *v;
};

struct map {
    size_t n;
    const void *k;
    const void *v;
};

enum field_flags {
    FIELD_STORED = 1 << 0,   /* written to the database */
    FIELD_SOFT = 1 << 1,     /* kept in memory only, has events, lost on restart */
    FIELD_INVERSE = 1 << 2,  /* computed from the other end of a relation */
    FIELD_DERIVED = 1 << 3,  /* computed by a derive function of the model */
    FIELD_INTERNAL = 1 << 4, /* never on the wire */
    FIELD_REQUIRED = 1 << 5, /* arguments and constructors: must be given */
    FIELD_CTOR = 1 << 6,     /* may be given to the generated create */
    FIELD_RW = 1 << 7,       /* has a generated setter */
    FIELD_REMOVED = 1 << 8,  /* shown in records, accessors answer MESSAGE_REMOVED */
};

/* What happens to a row that holds a reference when the target is destroyed. */
enum on_delete { ON_DELETE_REFUSE, ON_DELETE_NULL, ON_DELETE_CASCADE, ON_DELETE_KEEP };

struct field {
    const char *name;   /* on the wire: "name_label" */
    const char *column; /* in filters: "name__label" */
    const struct type *type;
    uint32_t offset;
    uint32_t flags;
    uint8_t on_delete;       /* enum on_delete, REF and SET of REF only */
    uint8_t bad_ref_is_null; /* a dangling or empty reference given by a client means null */
    int16_t inverse;         /* field index at the other end of the relation, -1 = none */
    uint16_t inverse_class;
};

struct struct_info {
    const char *name;
    size_t size;
    const struct field *fields;
    int n;
    bool has_self;        /* a class record: `const char *self` comes first, ahead of the fields */
    const void *defaults; /* a constant instance holding every default */
};
