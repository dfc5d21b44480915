/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An attached SR, shared by the files that implement sr.h, vdi.h and guest.h.
 *
 * Locks: storage->lock guards the set of SRs and their use counts; sr->lock guards one SR's tree,
 * owners and exports. Order: sr->lock may be taken while nothing is held, storage->lock is a leaf.
 */

#include "base/turns.h"
#include "storage/owner.h"

#include <pthread.h>
#include <stdatomic.h>

struct storage {
    struct storage_config config; /* owned copies */
    char *inventory;              /* directory: one file per attached SR */
    pthread_mutex_t lock;
    pthread_cond_t unused;
    struct strmap srs;
    struct strmap guests; /* guest.c, under lock */
    unsigned restoring;   /* attached aside at the start, under lock */
    struct VEC(pthread_t) restorers;
    struct turns attaching; /* one attach, detach, create, destroy of an SR at a time */
};

/* A client's NBD connection. */
struct nbd_use {
    char *id;
    struct owner *owner;
    bool writable;
    unsigned attaching; /* connections whose handshake has not been made yet */
};

struct sr {
    struct uuid_text uuid;
    struct storage *storage;
    const struct sr_driver *driver;
    struct place_config place_config; /* strings owned */
    struct place *place;
    enum image_format preferred;
    unsigned users;             /* under storage->lock */
    bool on_server;             /* nfs, smb: whoever holds the lock may wait for it long */
    _Atomic int64_t held_since; /* mono_us, 0 = nobody holds the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a pin was released, a merge ended, a client attached or left */
    struct tree tree;
    struct strmap exports; /* struct nbd_use by id */
    bool gone;             /* detached while somebody waited for the lock */
    bool collecting;
    unsigned working; /* copies into this SR under way */
    bool yield;       /* somebody waits for the images being merged */
};

/* Where an SR lies. `c` is borrowed. */
_must_check_ struct error *sr_place_config(const struct storage_config *c,
                                           const struct sr_spec *spec, bool only_look,
                                           struct place_config *ret);
void place_config_fini(struct place_config *c);
#define _cleanup_place_config_ _cleanup_(place_config_fini)

/* Finds and locks; sr_unlock ends it. Unknown: SR_NOT_ATTACHED. On a server that is silent:
 * SR_BACKEND_FAILURE_47 after SR_SILENT_US. */
_must_check_ struct error *sr_lock(struct storage *s, const char *uuid, struct sr **ret);
void sr_unlock(struct sr *sr);
static inline void cleanup_sr(struct sr **sr)
{
    if (*sr)
        sr_unlock(*sr);
}
#define _cleanup_sr_ _cleanup_(cleanup_sr)

/* The same with a VDI: VDI_MISSING [sr, vdi]. */
_must_check_ struct error *sr_lock_vdi(struct storage *s, const char *sr, const char *vdi,
                                       struct sr **ret, struct vdi **ret_vdi);
/* The same, when no merge touches its images; a running one is asked to give way. */
_must_check_ struct error *sr_lock_vdi_idle(struct storage *s, const char *sr, const char *vdi,
                                            struct sr **ret, struct vdi **ret_vdi);
/* The same, when nobody is in the middle of connecting to it either: its chain may change.
 * VDI_IN_USE [vdi, "attach"] if that takes too long. */
_must_check_ struct error *sr_lock_vdi_settled(struct storage *s, const char *sr, const char *vdi,
                                               struct sr **ret, struct vdi **ret_vdi);
bool sr_merge_touches(const struct sr *sr, const struct node *n);
/* Lets a merge give way; the lock is dropped meanwhile, so look everything up again. */
void sr_wait_merge(struct sr *sr);
_must_check_ struct error *sr_check_writable(const struct sr *sr);

/* Records and images of nodes and VDIs of a locked SR. */
_must_check_ struct error *sr_write_node(struct sr *sr, struct node *n);
_must_check_ struct error *sr_write_vdi(struct sr *sr, struct vdi *v);
/* A node in the tree, with the id derived from the VDI it is made for; what an attempt before left
 * under that id is taken over. An id that is in use (its VDI was removed, others read its image) is
 * passed over. */
#define NODE_WHICH_STEP 16
#define NODE_OF_REVERT  3
struct node *sr_add_node(struct sr *sr, const char *vdi, int which, enum image_format format,
                         int64_t size, struct node *parent);
/* The same with record and image: all or nothing. */
_must_check_ struct error *sr_make_node(struct sr *sr, const char *vdi, int which,
                                        enum image_format format, int64_t size, struct node *parent,
                                        struct node **ret);
/* Removes a node and those below it that nothing uses any more; a failure leaves garbage that the
 * next attach removes. */
void sr_release_node(struct sr *sr, struct node *n);

/* Opens a chain in a new owner, with its pins. / Stops it and gives the pins back. */
_must_check_ struct error *sr_start_owner(struct sr *sr, struct node *top, struct vdi *v,
                                          bool writable, struct owner **ret);
void sr_stop_owner(struct sr *sr, struct owner *o);
/* The same, with the NBD uses that went through it. */
void sr_forget_owner(struct sr *sr, struct owner *o);
/* Has a client of it a connection on which the handshake is still to be made? */
bool sr_is_attaching(const struct sr *sr, const struct owner *o);
/* Pins for an owner or a copy. VDI_IN_USE [vdi, what]. */
_must_check_ struct error *sr_pin(struct sr *sr, struct node *n, bool write, const char *vdi,
                                  const char *what);
void sr_unpin(struct sr *sr, struct node *n, bool write);
/* Gives a VDI a node of its own to write to. */
_must_check_ struct error *sr_make_writable(struct sr *sr, struct vdi *v);

/* Stops owners left over and gives everything back. */
void sr_free(struct sr *sr);
void guests_free(struct storage *s);

_malloc_ struct error *vdi_in_use(const char *vdi, const char *operation);
