/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The contract between storage and its drivers. A driver is two constant tables: where images and
 * records lie (sr_driver), and the process that holds a chain of images open (owner_driver).
 *
 * Life cycle: create makes an empty place; attach -> any number of calls -> detach; destroy erases.
 * Calls on one attached place come one at a time (the SR's lock is held), except image_copy, and
 * those of an owner that say so.
 * Everything is durable when a call returns, and repeating a call is harmless.
 * Errors are system errors (errno as far as known); callers turn them into API errors.
 */

#include "storage/sr.h"

#include <limits.h>

struct place; /* a driver's attached SR */
struct owner;

enum sr_flags {
    SR_FLAT = 1 << 0,      /* files are the VDIs: no records; image and record slots may be NULL */
    SR_READ_ONLY = 1 << 1, /* nothing can be created */
};

struct image_stat {
    bool sound;       /* present, readable, and of the format and size its record says */
    int64_t size;     /* virtual size found, 0 if unknown */
    int64_t physical; /* bytes taken */
};

struct place_config {
    const struct storage_config *storage;
    const char *uuid;
    const char *location; /* directory, checked against the roots; no symbolic link leads out */
    bool only_look;       /* attach takes no lock, and no call changes anything */
};

/* Progress of a long call; both may be NULL. Called from the thread that does the work. */
struct image_progress {
    bool (*cancelled)(void *arg);
    void (*progress)(void *arg, double fraction);
    void *arg;
};

struct sr_driver {
    const char *type;
    unsigned flags;
    struct error *(*create)(const struct place_config *c);
    /* Takes the place for this process; another holder is EBUSY. */
    struct error *(*attach)(const struct place_config *c, struct place **ret);
    void (*detach)(struct place *p);
    /* Removes what create and image_create made, nothing else. */
    struct error *(*destroy)(const struct place_config *c);
    /* Whose SR lies there, without attaching it; ENOENT: nobody's. May be NULL. */
    struct error *(*whose)(const char *location, struct uuid_text *ret);
    struct error *(*stat)(struct place *p, int64_t *ret_size, int64_t *ret_used);
    /* Fails if the place is not what was attached (directory removed, not mounted). */
    struct error *(*check)(struct place *p);

    /* Records: small texts under a name ("<uuid>" of a node, "<uuid>.vdi" of a VDI). */
    struct error *(*records)(struct place *p, struct tree *into);
    struct error *(*record_write)(struct place *p, const char *name, const char *text);
    struct error *(*record_remove)(struct place *p, const char *name);

    /* Makes the empty image of a node over its parent. It gets its final name at once or, after a
     * crash, never: image_sweep removes leftovers. An image that exists is replaced. */
    struct error *(*image_create)(struct place *p, const struct node *n);
    /* The same with the contents of a chain of the same driver (`from` on place `src`, pinned; its
     * driver has the same owner table). */
    struct error *(*image_copy)(struct place *p, const struct node *n,
                                const struct sr_driver *src_driver, struct place *src,
                                const struct node *from, const struct image_progress *progress);
    struct error *(*image_remove)(struct place *p, const struct node *n);
    struct error *(*image_resize)(struct place *p, const struct node *n, int64_t size);
    struct error *(*image_stat)(struct place *p, const struct node *n, struct image_stat *ret);
    /* Surely nothing was written since image_create; may be NULL (never sure). */
    bool (*image_untouched)(struct place *p, const struct node *n);
    /* Notes for people that n now reads its parent; may be NULL. */
    void (*image_rebase)(struct place *p, const struct node *n);
    struct error *(*image_sweep)(struct place *p);
    /* A name for people: <vdi>.<format> leads to the image; n NULL removes. May be NULL. */
    void (*link)(struct place *p, const char *vdi, const struct node *n);

    /* What lies there and belongs to no image of the tree: half_made is what image_sweep removes.
     * May be NULL. */
    struct error *(*strays)(struct place *p, const struct tree *t, void *arg,
                            void (*fn)(void *arg, const char *name, bool half_made));

    /* Path of a node's image; NULL slot where images are not files. */
    struct error *(*image_path)(struct place *p, const struct node *n, char ret[PATH_MAX]);
    /* SR_FLAT: brings the tree up to date with the files; nodes in use are left alone. */
    struct error *(*refresh)(struct place *p, struct tree *t);

    const struct owner_driver *owner;
};

extern const struct sr_driver sr_dir_driver;
extern const struct sr_driver sr_iso_driver;
extern const struct sr_driver sr_sim_driver;
