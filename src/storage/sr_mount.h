/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * SRs that have a file system to themselves: ext and xfs on a device, nfs, smb, iso on a share.
 * Here is what their device_config means and when the file system is mounted. What lies in it is
 * the same as in a directory (dir/, iso/). With the SR's turn held; block as mount.h says.
 */

#include "storage/mount.h"
#include "storage/sr.h"

struct sr_type {
    const char *type;
    const struct sr_driver *driver;
    const char *fs; /* what it is mounted as, NULL = it lies in a directory of the host */
};
/* SR_UNKNOWN_DRIVER. */
_must_check_ struct error *sr_find_type(const char *type, const struct sr_type **ret);
/* The same for those that this host mounts nothing for. */
_must_check_ struct error *sr_find_usable_type(const struct storage *s, const char *type,
                                               const struct sr_type **ret);
/* In the order in which clients see them; NULL behind the last. Those that cannot be used on this
 * host are left out if `s` is given. */
const char *sr_type_name(const struct storage *s, size_t i);

/* What a device_config asks to be mounted. Strings are owned. */
struct sr_mount {
    const char *fs; /* NULL = nothing */
    char *source;   /* NULL: the device_config leaves it open (sr_mount_parse, `open`) */
    char *options;
    char *password;
    char *below; /* directory in it where the SR lies, "" = itself */
    int failure; /* SR_BACKEND_FAILURE_n of a mount that fails */
    bool read_only;
    bool force; /* what lies on the device may be erased */
};
void sr_mount_fini(struct sr_mount *m);
#define _cleanup_sr_mount_ _cleanup_(sr_mount_fini)

static inline bool sr_mount_is_remote(const struct sr_mount *m)
{
    return streq(m->fs, "nfs") || streq(m->fs, "cifs");
}

/* `open`: a server without a path, or a type without a device, is accepted (a probe). */
_must_check_ struct error *sr_mount_parse(const struct sr_spec *spec, bool open,
                                          struct sr_mount *ret);

/* The directory of the SR, mounted or not. The caller frees. */
_malloc_ char *sr_mount_path(const struct storage_config *c, const char *uuid,
                             const struct sr_mount *m);
/* Makes the file system, if it is one of a device. */
_must_check_ struct error *sr_mount_format(struct storage *s, const struct sr_spec *spec,
                                           const struct sr_mount *m);
/* Mounts it; one that is mounted already is taken as it is. */
_must_check_ struct error *sr_mount_up(struct storage *s, const char *uuid,
                                       const struct sr_mount *m);
/* Not mounted is success. */
_must_check_ struct error *sr_mount_down(struct storage *s, const char *uuid);
/* False: there is a device, and it holds no file system of this SR. */
_must_check_ struct error *sr_mount_is_made(struct storage *s, const char *uuid,
                                            const struct sr_mount *m, bool *ret);
/* The device of an SR that was destroyed is free for others. */
_must_check_ struct error *sr_mount_wipe(struct storage *s, const struct sr_mount *m);
/* Unmounts what no SR on the list of attached ones needs. */
void sr_mount_sweep(struct storage *s);

/* ---- looking for places ---- */

struct sr_place_found {
    char *key; /* of device_config: with this value more is known; NULL = nothing to add */
    char *value;
    bool complete;       /* an SR could be made or attached with it */
    struct uuid_text sr; /* that lies there, "" = none */
    int64_t size, free;  /* bytes, 0 = unknown */
    char *what;          /* for people */
};

struct sr_places_found {
    struct VEC(struct sr_place_found) v;
};
void sr_places_found_fini(struct sr_places_found *f);

/* What there is for a type with such a device_config; nothing is changed. spec->uuid is not used.
 */
_must_check_ struct error *sr_probe(struct storage *s, const struct sr_spec *spec,
                                    struct sr_places_found *ret);
