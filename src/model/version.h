/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An object is a class, a reference and a series of immutable versions. Whoever holds a counted
 * version reads it without any lock, for as long as it likes; the object may move on meanwhile.
 *
 * A version is one memory block: this head, the generated record, all its data. Encoded forms are
 * made on first use and kept with it, so a list of a thousand unchanged records is a gather-write.
 */

#include "gen/classes.h"
#include "value/value.h"

#include <stdatomic.h>

struct object;

enum wire_form { FORM_XML, FORM_JSON, FORM_MAX };

struct fragment {
    size_t len;
    char text[];
};

struct version {
    atomic_uint refs;
    struct object *obj;  /* counted */
    const void *rec;     /* struct <class>_rec */
    const char *unknown; /* stored members this program does not know: JSON object text, or NULL */
    uint64_t hard_gen;   /* database generation of the last durable change, 0 = never durable */
    uint64_t created_gen;
    uint64_t own_seq; /* moves when a stored or soft field changes */
    uint64_t rel_seq; /* moves when an inverse or derived field changes */
    uint64_t stamp;   /* place in the order of publications of this run */
    size_t size;      /* bytes of this block */
    _Atomic(struct fragment *) form[FORM_MAX];
};

struct version *version_ref(struct version *v);
void version_unref(struct version *v);

static inline void cleanup_version(struct version **v)
{
    if (*v)
        version_unref(*v);
}

#define _cleanup_version_ _cleanup_(cleanup_version)

/* "OpaqueRef:..." of the object; lives as long as the version. */
const char *version_ref_text(const struct version *v);
enum class_id version_class(const struct version *v);
/* The record encoded as a value; lives as long as the version. */
const struct fragment *version_form(struct version *v, enum wire_form form);

/* Model-internal. rec is flattened; obj gains a reference; seq fields start at zero. */
struct version *version_new(struct object *obj, const void *rec, const char *unknown);
