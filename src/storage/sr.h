/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Storage repositories: *where* disks lie. vdi.h is about *what* lies there.
 *
 * Operations on SRs (any thread; they block; repeating one that has succeeded succeeds again).
 * The contract of drivers is in sr_driver.h.
 */

#include "base/uuid.h"
#include "storage/storage.h"
#include "storage/tree.h"
#include "value/type.h"

struct sr_spec {
    const char *uuid;
    const char *type; /* "file" (and "dir", a second name of it), "ext", "xfs", "nfs", "smb", "iso",
                         "sim" */
    /* Map of strings. `location`: directory, below one of the roots; absent = <first root>/<uuid>.
     * `preferred-image-formats`: "qcow2" (default), "raw" or "vhd". Keys of file systems that SRs
     * have to themselves: sr_mount_parse.c; passwords are in clear here and kept on no disk. */
    struct map device_config;
};

struct sr_stat {
    int64_t size;               /* bytes the place has in all */
    int64_t used;               /* bytes of it in use, by anyone */
    int64_t virtual_allocation; /* sum of the virtual sizes of VDIs */
};

/* One disk as a scan reports it. Images that belong to no VDI any more but are still read by others
 * are listed with managed = false under their node id. Pointers live as long as the list. */
struct vdi_info {
    struct uuid_text uuid;
    struct uuid_text node;   /* what sm_config:vhd-parent of a child names */
    struct uuid_text parent; /* node below, "" = none */
    struct uuid_text snapshot_of;
    char *location; /* file name on an ISO SR, else the uuid */
    enum image_format format;
    int64_t virtual_size;
    int64_t physical_utilisation;
    int64_t snapshot_time; /* seconds, 0 = not a snapshot */
    bool is_snapshot;
    bool managed;
    bool read_only;
    bool sound;    /* its image and all below it could be read */
    json_t *props; /* strings given by vdi_set_props, NULL if none */
};

struct vdi_list_info {
    struct vdi_info *v;
    size_t n;
    bool complete;  /* false: part of the SR could not be read; nothing may be concluded from
                       what is absent */
    char *problems; /* for people, "" = none */
};
void vdi_list_info_fini(struct vdi_list_info *l);

/* Makes an empty SR. */
_must_check_ struct error *sr_create(struct storage *s, const struct sr_spec *spec);
/* Opens it: reads all records, finishes or removes what an interrupted operation left. */
_must_check_ struct error *sr_attach(struct storage *s, const struct sr_spec *spec);
/* VDI_IN_USE [vdis] while disks are open. Absent is success. */
_must_check_ struct error *sr_detach(struct storage *s, const char *sr);
/* Removes all its images and records; it must be detached. */
_must_check_ struct error *sr_destroy(struct storage *s, const struct sr_spec *spec);
_must_check_ struct error *sr_stat(struct storage *s, const char *sr, struct sr_stat *ret);
_must_check_ struct error *sr_scan(struct storage *s, const char *sr, struct vdi_list_info *ret);

/*
 * Merges one image that only another image still reads, if there is one, and says whether it did.
 * Guests go on meanwhile, and stand still for a few milliseconds at the switch. Ends early, with
 * success, when somebody wants to open one of the two images.
 */
struct sr_collect {
    int64_t bytes_per_second; /* 0 = no limit */
    bool (*cancelled)(void *arg);
    void (*progress)(void *arg, double fraction);
    void *arg;
};
_must_check_ struct error *sr_collect(struct storage *s, const char *sr,
                                      const struct sr_collect *how, bool *ret_merged);
/* The same on all attached SRs until there is nothing left to merge or `cancelled` says so.
 * Failures are told to fn, which frees them; the SR is left for the next time. */
void sr_collect_all(struct storage *s, const struct sr_collect *how,
                    void (*fn)(void *arg, const char *sr, struct error *e), void *arg);
