/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ova.xml, the first member of an exported VM: rows of several classes as one XML-RPC value, with
 * names of their own ("Ref:0") instead of references. Pure.
 *
 *     struct  version: struct (who wrote it)
 *             objects: array of struct  class: "VM"  id: "Ref:3"  snapshot: the record
 *
 * Written as XenAPI servers do; read in any order of members and objects, with members missing
 * (their defaults) or unknown (ignored), as other writers do. Source: the XVA format.
 */

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "gen/classes.h"

/* Largest text that is read: the tree made of it takes ten times as much. Objects in it. */
#define OVA_MAX         (64u << 20)
#define OVA_MAX_OBJECTS 100000

#define OVA_EXPORT_VERSION 2

struct ova_writer {
    const char *hostname;
    const char *date; /* of the program */
    const char *product_version;
    const char *product_brand;
    const char *build_number;
    int64_t xapi_major;
    int64_t xapi_minor;
    int64_t export_version; /* OVA_EXPORT_VERSION */
};

struct ova_object {
    enum class_id class_id;
    const char *id;
    void *rec;            /* its struct <class>_rec; references are ids of others, or null */
    const char *contents; /* of a VTPM: its state; else NULL */
};

struct ova {
    struct ova_writer writer;
    struct ova_object *objects;
    size_t n;
};

/* Is it one of the classes that stand in an ova.xml? The order in which they are written is that of
 * the classes here: ova_class(0), ..., CLASS_NONE. */
enum class_id ova_class(size_t i);

/* Writing: the beginning, each object in the order of classes, the end. */
void ova_begin(struct str *out, const struct ova_writer *w);
void ova_add(struct str *out, const struct ova_object *o);
void ova_end(struct str *out);
/* Objects of other classes are left out. What the store computes (inverse and derived fields), what
 * is internal and operations under way are left at their defaults. IMPORT_ERROR [what is wrong
 * where]. Memory is the arena's. */
_must_check_ struct error *ova_read(struct arena *a, const char *text, size_t n, struct ova *ret);
