/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the state directory: who may read what is secret, and what is left of VMs that are gone.
 */
#include "verify/verify.h"

#include "base/uuid.h"

#include <errno.h>
#include <sys/stat.h>

static bool is_secret(const char *name)
{
    static const char *const names[] = {"password", "accounts", "directory", "host.pem"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq(name, names[i]))
            return true;
    return str_starts(name, "store.db"); /* its log, and copies of it */
}

static void check_mode(struct verify *v, const char *dir, const char *name)
{
    const char *path = arena_printf(&v->arena, "%s/%s", dir, name);
    struct stat st;

    v->checked[CHECKED_FILES]++;
    if (lstat(path, &st) < 0) {
        if (errno != ENOENT) /* a log that was just folded into its file */
            add_finding(v, ERROR, "file-unreadable", name, "%s cannot be looked at.", path);
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        add_finding(v, ERROR, "file-kind", name, "%s is no regular file.", path);
        return;
    }
    if (!(st.st_mode & 077))
        return;
    struct finding *f = add_finding(v, ERROR, "file-mode", name,
                                    "%s holds secrets and has mode %o: others than its owner can "
                                    "get at it.",
                                    path, (unsigned)st.st_mode & 07777);

    offer(f, repair_mode, path, "give %s mode 600", path);
}

static void check_secrets(struct verify *v, const char *path)
{
    _cleanup_closedir_ DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (is_secret(entry->d_name))
            check_mode(v, path, entry->d_name);
}

static void check_nvram(struct verify *v)
{
    _cleanup_closedir_ DIR *dir = opendir(host_path(v, "nvram"));
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (!uuid_is_with(entry->d_name, ".fd"))
            continue;
        const char *uuid = arena_memdup0(&v->arena, entry->d_name, UUID_LEN);
        _cleanup_version_ struct version *vm = store_find_uuid(v->store, CLASS_VM, uuid);

        v->checked[CHECKED_FILES]++;
        if (vm || is_planned(v, uuid))
            continue;
        const char *path = host_path(v, "nvram/%s", entry->d_name);

        offer_set_aside(v,
                        add_finding(v, WARNING, "nvram-without-vm", uuid,
                                    "%s holds UEFI variables of a VM that does not exist.", path),
                        path);
    }
}

void check_files(struct verify *v)
{
    check_secrets(v, v->state_dir);
    if (!streq(v->state_dir, v->host_dir))
        check_secrets(v, v->host_dir);
    check_nvram(v);
}
