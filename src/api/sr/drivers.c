/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/sr/drivers.h"

#include "api/common/lists.h"
#include "gen/class/SM_txn.h"

#include <strings.h>

struct driver_info {
    const char *type;
    const char *name;
    const char *description;
    const char *const *features;
    const char *const *config; /* key, what it means, ... NULL */
    bool formats;              /* images in qcow2, VHD and raw, else whatever lies there */
};

static const char *const disk_features[] = {
    "SR_SCAN",           "SR_STATS",      "SR_UPDATE",
    "VDI_CREATE",        "VDI_DELETE",    "VDI_ATTACH",
    "VDI_DETACH",        "VDI_ACTIVATE",  "VDI_DEACTIVATE",
    "VDI_CLONE",         "VDI_SNAPSHOT",  "VDI_RESIZE",
    "VDI_RESIZE_ONLINE", "VDI_MIRROR",    "VDI_MIRROR_IN",
    "VDI_REVERT",        "VDI_UPDATE",    "VDI_READ_CACHING",
    "THIN_PROVISIONING", "VDI_INTRODUCE", NULL};
static const char *const media_features[] = {"SR_SCAN",    "SR_STATS",   "SR_ATTACH", "SR_DETACH",
                                             "VDI_ATTACH", "VDI_DETACH", NULL};
static const char *const file_config[] = {
    "location", "directory of the disks; without it the host chooses one",
    "preferred-image-formats", "format of new disks: qcow2, vhd or raw", NULL};
static const char *const iso_config[] = {
    "location",
    "directory of the files, SERVER:/PATH or //SERVER/SHARE; without it the host chooses one",
    "type",
    "nfs_iso or cifs",
    "iso_path",
    "directory below the share",
    "username",
    "of a share",
    "cifspassword",
    "kept as a secret",
    "vers",
    "version of the protocol of a share",
    "nfsversion",
    "3, 4, 4.0, 4.1 or 4.2",
    "options",
    "of an NFS mount",
    "legacy_mode",
    "true: location is a directory of the host",
    NULL};
static const char *const device_config[] = {
    "device",
    "the disk, best by its name in /dev/disk/by-id",
    "force",
    "true: whatever lies on the disk may be erased when the repository is made",
    "preferred-image-formats",
    "format of new disks: qcow2, vhd or raw",
    NULL};
static const char *const nfs_config[] = {
    "server",
    "name or address of the server",
    "serverpath",
    "what it exports",
    "nfsversion",
    "3, 4, 4.0, 4.1 or 4.2; without it what both sides know",
    "options",
    "of the mount: rsize, wsize, timeo, retrans, nconnect, port, sec and some more",
    "preferred-image-formats",
    "format of new disks: qcow2, vhd or raw",
    NULL};
static const char *const smb_config[] = {"server",
                                         "the share: //server/share",
                                         "username",
                                         "USER or DOMAIN\\USER; without it a guest",
                                         "password",
                                         "kept as a secret",
                                         "vers",
                                         "version of the protocol",
                                         "preferred-image-formats",
                                         "format of new disks: qcow2, vhd or raw",
                                         NULL};
static const char *const no_config[] = {NULL};

static const struct driver_info drivers[] = {
    {"file", "Directory", "Disks as files in a directory", disk_features, file_config, true},
    {"iso", "ISO images", "Installation media as files in a directory", media_features, iso_config,
     false},
    {"ext", "ext4 on a disk", "Disks as files on a file system of their own", disk_features,
     device_config, true},
    {"xfs", "XFS on a disk", "Disks as files on a file system of their own", disk_features,
     device_config, true},
    {"nfs", "NFS", "Disks as files on an NFS server", disk_features, nfs_config, true},
    {"smb", "SMB", "Disks as files on a share of Windows or Samba", disk_features, smb_config,
     true},
    {"sim", "Simulated", "Disks without contents, for tests", disk_features, no_config, true},
};

static const struct driver_info *driver_find(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (streq(drivers[i].type, type))
            return &drivers[i];
    return NULL;
}

const struct sm_rec *sm_find(struct txn *t, const char *type)
{
    const struct sm_rec *const *all;
    size_t n = txn_all_sm(t, &all);

    for (size_t i = 0; i < n; i++)
        if (strcasecmp(all[i]->type, type) == 0)
            return all[i];
    return NULL;
}

bool sm_has_feature(const struct sm_rec *sm, const char *feature)
{
    for (size_t i = 0; i < sm->features.n; i++)
        if (streq(sm->features.k[i], feature))
            return true;
    return false;
}

static struct map_string_int feature_map(struct arena *a, const char *const *names)
{
    size_t n = 0;

    while (names[n])
        n++;
    int64_t *v = arena_array(a, int64_t, n);

    for (size_t i = 0; i < n; i++)
        v[i] = 1; /* all are at the first version of their kind */
    return (struct map_string_int){.n = n, .k = names, .v = v};
}

static void fill(struct arena *a, struct sm_rec *sm, const struct driver_info *d)
{
    static const int formats[] = {IMAGE_FORMAT_TYPE_QCOW2, IMAGE_FORMAT_TYPE_VHD,
                                  IMAGE_FORMAT_TYPE_RAW};

    sm->type = d->type;
    sm->name_label = d->name;
    sm->name_description = d->description;
    sm->vendor = "Xenolith";
    sm->version = sm->required_api_version = "1.0";
    sm->configuration = map_of(a, d->config);
    sm->features = feature_map(a, d->features);
    sm->capabilities = (struct set_string){sm->features.n, sm->features.k};
    if (d->formats)
        sm->supported_image_formats = (struct set_enum){ARRAY_SIZE(formats), formats};
}

struct error *sm_rows_update(struct txn *t, const char *const *types, size_t n_types)
{
    for (size_t i = 0; i < n_types; i++) {
        const struct driver_info *d = driver_find(types[i]);
        const struct sm_rec *old = sm_find(t, types[i]);
        struct sm_rec *sm;

        if (!d)
            continue;
        if (old)
            TRY(txn_edit_sm(t, old->self, &sm));
        else
            sm = txn_new_sm(t);
        fill(txn_arena(t), sm, d);
    }
    return NULL;
}
