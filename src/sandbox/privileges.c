/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static struct error *failed(const char *what)
{
    return error_errno(errno, "cannot %s", what);
}

struct error *privileges_become(const char *user)
{
    char buf[4096];
    struct passwd pw, *found = NULL;
    int r = getpwnam_r(user, &pw, buf, sizeof(buf), &found);

    if (!found)
        return error_errno(r ? r : ENOENT, "there is no user %s", user);
    if (geteuid() == pw.pw_uid && getuid() == pw.pw_uid)
        return NULL;
    if (initgroups(user, pw.pw_gid) < 0 || setresgid(pw.pw_gid, pw.pw_gid, pw.pw_gid) < 0 ||
        setresuid(pw.pw_uid, pw.pw_uid, pw.pw_uid) < 0)
        return error_errno(errno, "cannot become user %s", user);
    return NULL;
}

static struct error *bound(uint64_t keep)
{
    for (unsigned cap = 0; cap < 64; cap++) {
        if (prctl(PR_CAPBSET_READ, cap) != 1 || keep & CAPABILITY(cap))
            continue;
        /* Only who may set capabilities at all can shrink the set; others have none to inherit. */
        if (prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EPERM)
            return failed("shrink the bounding set");
    }
    return NULL;
}

struct error *privileges_keep(uint64_t capabilities)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2], data[2] = {0};

    TRY(bound(capabilities));
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return failed("clear ambient capabilities");
    if (syscall(SYS_capget, &head, now) < 0)
        return failed("read capabilities");
    for (int i = 0; i < 2; i++)
        data[i].permitted = data[i].effective =
            now[i].permitted & (uint32_t)(capabilities >> (32 * i));
    return syscall(SYS_capset, &head, data) < 0 ? failed("drop capabilities") : NULL;
}

struct error *privileges_no_new(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? failed("give up new privileges") : NULL;
}

struct error *privileges_no_dump(void)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return failed("forbid dumps");
    return NULL;
}
