/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Without a library: three system calls and a few bits. Constants are from linux/landlock.h, whose
 * Debian 12 edition ends before version 3 of the interface.
 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define VERSION_FLAG      1u
#define RULE_PATH_BENEATH 1
#define RULE_NET_PORT     2

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_MAKE_SOCK = 1 << 9,
    FS_V1 = (1 << 13) - 1,
    FS_REFER = 1 << 13,     /* version 2 */
    FS_TRUNCATE = 1 << 14,  /* version 3 */
    FS_IOCTL_DEV = 1 << 15, /* version 5 */
};
enum { NET_BIND_TCP = 1, NET_CONNECT_TCP = 2 }; /* version 4 */
enum { SCOPE_ABSTRACT = 1, SCOPE_SIGNAL = 2 };  /* version 6 */

/* The kernel takes older, shorter forms of these by their size. */
struct ruleset_attr {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

struct port_rule {
    uint64_t allowed;
    uint64_t port;
};

/* Rights that mean something for a file that is no directory. */
#define FILE_RIGHTS (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

static const uint64_t rights[] = {
    [LANDLOCK_READ] = FS_READ_FILE | FS_READ_DIR,
    [LANDLOCK_USE] = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
    [LANDLOCK_CHANGE] = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_DIR |
                        FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_REFER,
    [LANDLOCK_RUN] = FS_READ_FILE | FS_READ_DIR | FS_EXECUTE,
};

int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_FLAG);

    return abi < 0 ? 0 : (int)abi;
}

static struct ruleset_attr handled(int abi, const struct landlock_spec *spec)
{
    struct ruleset_attr a = {.fs = FS_V1};

    if (abi >= 2)
        a.fs |= FS_REFER;
    if (abi >= 3)
        a.fs |= FS_TRUNCATE;
    if (abi >= 4 && !spec->any_tcp)
        a.net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= 5)
        a.fs |= FS_IOCTL_DEV;
    if (abi >= 6 && spec->scoped)
        a.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
    return a;
}

static size_t attr_size(int abi)
{
    return abi >= 6   ? sizeof(struct ruleset_attr)
           : abi >= 4 ? offsetof(struct ruleset_attr, scoped)
                      : offsetof(struct ruleset_attr, net);
}

static struct error *allow_path(int ruleset, const struct landlock_path *p, uint64_t handled_fs)
{
    _cleanup_close_ int fd = p->path ? open(p->path, O_PATH | O_CLOEXEC) : -1;
    struct path_rule rule = {.allowed = rights[p->access] & handled_fs, .parent_fd = fd};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL; /* what is absent cannot be used either */
    if (!S_ISDIR(st.st_mode))
        rule.allowed &= FILE_RIGHTS;
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        return error_errno(errno, "cannot allow %s", p->path);
    return NULL;
}

static struct error *allow_port(int ruleset, uint16_t port)
{
    struct port_rule rule = {.allowed = NET_BIND_TCP, .port = port};

    if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) < 0)
        return error_errno(errno, "cannot allow port %u", port);
    return NULL;
}

struct error *landlock_enter(const struct landlock_spec *spec, int *ret_abi)
{
    int abi = landlock_abi();
    struct ruleset_attr attr = handled(abi, spec);

    if (ret_abi)
        *ret_abi = abi;
    if (!abi)
        return NULL;
    _cleanup_close_ int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &attr, attr_size(abi), 0);

    if (ruleset < 0)
        return error_errno(errno, "cannot make a Landlock ruleset");
    for (size_t i = 0; i < spec->n_paths; i++)
        TRY(allow_path(ruleset, &spec->paths[i], attr.fs));
    for (size_t i = 0; attr.net && i < spec->n_bind_ports; i++)
        TRY(allow_port(ruleset, spec->bind_ports[i]));
    /* A program that was started from inside 16 such domains is as confined as it can be. */
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 && errno != E2BIG)
        return error_errno(errno, "cannot enter Landlock");
    return NULL;
}
