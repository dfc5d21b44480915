/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/blob/files.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/classes.h"
#include "model/store.h"
#include "model/version.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

/* An upload under way has a name that no row has, and is younger than this. */
#define UPLOAD_S 3600

const char *blob_path(const struct daemon *d, struct arena *a, const char *uuid)
{
    return arena_printf(a, "%s/blobs/%s", d->state_dir, uuid);
}

static bool is_wanted(struct daemon *d, const char *path, const char *name)
{
    struct version *v = uuid_is_plain(name) ? store_find_uuid(d->store, CLASS_BLOB, name) : NULL;
    struct stat st;

    if (v) {
        version_unref(v);
        return true;
    }
    return !uuid_is_plain(name) && stat(path, &st) == 0 && st.st_mtime + UPLOAD_S > now_s();
}

struct error *blob_sweep(struct daemon *d)
{
    _cleanup_free_ char *dir = xasprintf("%s/blobs", d->state_dir);
    _cleanup_closedir_ DIR *open_dir = opendir(dir);
    struct error *e = NULL;

    if (!open_dir)
        return errno == ENOENT ? NULL : error_errno(errno, "cannot read %s", dir);
    for (struct dirent *entry; !e && (entry = readdir(open_dir));) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, entry->d_name);

        if (entry->d_name[0] != '.' && !is_wanted(d, path, entry->d_name))
            e = io_unlink(path);
    }
    return e;
}
