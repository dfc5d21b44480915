/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The images of one SR and the VDIs that use them, in memory, with the text of their records.
 *
 * A *node* is one image file (or volume); its id and its parent never change meaning: what is read
 * through a node stays the same as long as anything but one unfrozen VDI uses it. A *VDI* is a UUID
 * known to clients; it points at a node. A snapshot is a frozen VDI on the node its source had; the
 * source goes on in a new child node. So a node has at most one user that writes:
 *
 *     a node used by an unfrozen VDI has no children and no other VDI
 *
 * A record that breaks this rule was left by an operation that did not finish; tree_repair drops
 * it.
 *
 * Node ids are derived from the UUID of the VDI being made (node_id_for), so that an operation
 * that is repeated meets its own traces. All functions are called with the SR's lock held.
 */

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"
#include "base/uuid.h"
#include "base/vec.h"

#include <jansson.h>
#include <stdint.h>

enum image_format { IMAGE_QCOW2, IMAGE_RAW, IMAGE_VHD, IMAGE_FORMAT_MAX };

extern const char *const image_format_names[IMAGE_FORMAT_MAX]; /* "qcow2", "raw", "vhd" */
/* False = unknown. */
bool image_format_parse(const char *s, enum image_format *ret);

struct owner;

struct node {
    struct uuid_text id;
    enum image_format format;
    int64_t size; /* virtual, bytes */
    struct node *parent;
    unsigned n_children;
    unsigned n_vdis;
    unsigned readers; /* pins: owners and copies that read it, also as a backing image */
    bool writer;      /* pin: an owner that may write it */
    bool busy;        /* being made or merged: no new pins */
    bool broken;      /* the image is missing or does not match */
    json_t *raw;      /* the record as read: members of newer versions are kept */
};

struct vdi {
    struct uuid_text uuid;
    struct node *node;
    bool frozen; /* does not write its node */
    bool is_snapshot;
    struct uuid_text snapshot_of; /* "" = none */
    int64_t snapshot_time;        /* seconds, 0 = none */
    json_t *props;                /* strings kept for the store: name_label, ... */
    struct owner *owner;          /* process that has its chain open, NULL */
    json_t *raw;
};

struct tree {
    struct strmap nodes;
    struct strmap vdis;
    bool complete;       /* every record was read and made sense; else nothing is ever removed */
    struct str problems; /* one line each, for people */
};

void tree_init(struct tree *t);
void tree_fini(struct tree *t);

/* which: 0 = the VDI's own image, 1 = the image its source goes on in, 2 = an ISO, 3 = after a
 * revert; larger numbers for further attempts. */
struct uuid_text node_id_for(const char *vdi_uuid, int which);

struct node *tree_find_node(const struct tree *t, const char *id);
struct vdi *tree_find_vdi(const struct tree *t, const char *uuid);
struct node *tree_add_node(struct tree *t, const char *id, enum image_format format, int64_t size,
                           struct node *parent);
/* No users may be left. */
void tree_remove_node(struct tree *t, struct node *n);
struct vdi *tree_add_vdi(struct tree *t, const char *uuid, struct node *n);
void tree_set_vdi_node(struct vdi *v, struct node *n);
void tree_set_parent(struct node *n, struct node *parent);
void tree_remove_vdi(struct tree *t, struct vdi *v);

/* Images read when this node is read: 1 = no parent. */
unsigned node_depth(const struct node *n);
static inline bool node_is_unused(const struct node *n)
{
    return n->n_children == 0 && n->n_vdis == 0;
}
/* A VDI that may not write the node it is on. */
static inline bool vdi_shares_node(const struct vdi *v)
{
    return v->frozen || v->node->n_children > 0 || v->node->n_vdis > 1;
}

/* Records. The caller frees the text. */
_malloc_ char *node_record(struct node *n);
_malloc_ char *vdi_record(struct vdi *v);

/* Takes one record as read from the SR; a bad one is noted and makes the tree incomplete. Parents
 * and nodes may come later: tree_link resolves them when all are in. */
void tree_load(struct tree *t, const char *what, const char *text, size_t len);
void tree_link(struct tree *t);
void tree_problem(struct tree *t, const char *fmt, ...) _printf_(2, 3);

/* VDIs that an unfinished operation left (see the rule above). */
struct vdi_list VEC(struct vdi *);
struct node_list VEC(struct node *);
void tree_unfinished(const struct tree *t, struct vdi_list *ret);
/* A node that nothing uses and nobody pins, or NULL. */
struct node *tree_find_garbage(const struct tree *t);

/* Pins the chain that ends in n: its last node for reading or writing, the others for reading.
 * False, and no pin taken, if that is not possible now. */
_must_check_ bool chain_pin(struct node *n, bool write);
void chain_unpin(struct node *n, bool write);
