/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mounter that runs the programs of the system: mount, mkfs, blkid and their like. */

#include "storage/mount.h"

#include "base/io.h"
#include "base/spawn.h"
#include "base/world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define PASSWORD_FD 3
#define EXPORTS_MAX (256u << 10)
#define MOUNTS_MAX  (4u << 20)

/* Nothing on a repository is a program, a device, or somebody else's. */
#define HARDENED "nosuid,nodev,noexec"

static char *path_of(void *ctx, const char *name)
{
    const char *root = ctx;

    return xasprintf("%s/%s", root, name);
}

static void trim(struct str *s)
{
    while (s->len && (s->s[s->len - 1] == '\n' || s->s[s->len - 1] == ' '))
        s->s[--s->len] = 0;
    for (size_t i = 0; i < s->len; i++)
        s->s[i] = s->s[i] == '\n' ? ' ' : s->s[i];
}

/* Its own words are what the client needs to know. */
static struct error *run(struct spawn *s, int64_t time_s, size_t max, struct str *ret_out)
{
    _cleanup_str_ struct str err = STR_INIT;
    int status = 0;

    TRY(spawn_run_status(s, time_s * SECOND_US, max, ret_out, &err, &status));
    trim(&err);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    return err.len ? error_text("%s", str_cstr(&err))
                   : error_text("%s ended with status %d", s->argv.v[0], status);
}

/* ---- mounting ---- */

static void add_program(struct spawn *s, const struct mount_order *o)
{
    if (streq(o->fs, "nfs") || streq(o->fs, "cifs")) {
        _cleanup_free_ char *program = xasprintf("mount.%s", o->fs);
        spawn_init(s, program);
        return;
    }
    spawn_init(s, "mount");
    spawn_add(s, "-n");
    spawn_add(s, "-t");
    spawn_add(s, o->fs);
}

/* The password is read by mount.cifs from a descriptor: command lines are for all to see. */
static struct error *add_password(struct spawn *s, const struct mount_order *o, int *ret_fd)
{
    if (!streq(o->fs, "cifs"))
        return NULL;
    TRY(spawn_input(o->password, strlen(o->password), ret_fd));
    spawn_pass_fd(s, *ret_fd, PASSWORD_FD);
    spawn_env(s, "PASSWD_FD", "3");
    return NULL;
}

static struct error *programs_mount(void *ctx, const struct mount_order *o)
{
    _cleanup_free_ char *path = path_of(ctx, o->name);
    _cleanup_close_ int password = -1;

    TRY(mount_check_order(o));
    TRY(io_mkdir_p(path, 0700));
    _cleanup_spawn_ struct spawn s;
    add_program(&s, o);
    TRY(add_password(&s, o, &password));
    spawn_add(&s, o->source);
    spawn_add(&s, path);
    spawn_add(&s, "-o");
    spawn_addf(&s, "%s%s%s," HARDENED, o->options, *o->options ? "," : "",
               o->read_only ? "ro" : "rw");
    struct error *e = run(&s, MOUNT_TIME_S, 0, NULL);

    if (e)
        (void)!rmdir(path);
    return e && e->errnum == ETIMEDOUT
               ? error_prepend(e, "no answer within %d seconds", MOUNT_TIME_S)
               : e;
}

struct search {
    const char *name;
    bool found;
};

static void compare(void *arg, const char *name, const char *source)
{
    struct search *s = arg;

    s->found |= streq(s->name, name);
}

static struct error *programs_list(void *ctx, mount_entry_fn *fn, void *arg);

static struct error *is_mounted(void *ctx, const char *name, bool *ret)
{
    struct search s = {.name = name};

    TRY(programs_list(ctx, compare, &s));
    *ret = s.found;
    return NULL;
}

/* Lazily if need be: whoever still reads it goes on, nobody else comes in. */
static struct error *unmount_once(const char *path, bool lazily)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "umount");
    spawn_add(&s, "-n");
    spawn_add(&s, "-i");
    if (lazily)
        spawn_add(&s, "-l");
    spawn_add(&s, path);
    return run(&s, MOUNT_TIME_S, 0, NULL);
}

static struct error *programs_unmount(void *ctx, const char *name)
{
    _cleanup_free_ char *path = path_of(ctx, name);
    bool mounted = true;

    if (!uuid_is_plain(name))
        return error_text("\"%.64s\" is no name for a mount", name);
    TRY(is_mounted(ctx, name, &mounted));
    while (mounted) {
        struct error *e = unmount_once(path, false);

        if (e) {
            error_free(e);
            TRY(unmount_once(path, true));
        }
        TRY(is_mounted(ctx, name, &mounted)); /* one may lie over another */
    }
    (void)!rmdir(path);
    return NULL;
}

/* ---- what is mounted ---- */

/* Spaces and the like are \ooo there (Linux, Documentation/filesystems/proc.rst). */
static void unescape(char *s)
{
    char *to = s;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = 0;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": where, what behind the dash. */
static void take_mount(char *line, const char *root, mount_entry_fn *fn, void *arg)
{
    char *behind = strstr(line, " - "), *rest = line, *at = NULL, *source;

    if (!behind)
        return;
    *behind = 0;
    behind += 3;
    for (int i = 0; i < 5; i++)
        at = strsep(&rest, " ");
    (void)strsep(&behind, " ");
    source = strsep(&behind, " ");
    if (!at || !source)
        return;
    unescape(at);
    unescape(source);
    size_t n = strlen(root);
    if (str_starts(at, root) && at[n] == '/' && uuid_is_plain(at + n + 1))
        fn(arg, at + n + 1, source);
}

static struct error *programs_list(void *ctx, mount_entry_fn *fn, void *arg)
{
    _cleanup_free_ char *root = realpath(ctx, NULL);
    _cleanup_str_ struct str text = STR_INIT;
    char *line;

    if (!root)
        return errno == ENOENT ? NULL : error_errno(errno, "cannot find %s", (const char *)ctx);
    TRY(io_read_file("/proc/self/mountinfo", MOUNTS_MAX, &text));
    char *rest = text.s;
    while (rest && (line = strsep(&rest, "\n")))
        take_mount(line, root, fn, arg);
    return NULL;
}

/* ---- devices ---- */

/* A device that something of the kernel or a program has taken cannot be taken again. */
static struct error *open_device(const char *device, bool *ret_in_use, int64_t *ret_size)
{
    struct stat st;
    uint64_t size = 0;

    TRY(mount_check_device(device));
    _cleanup_close_ int fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC);
    *ret_in_use = fd < 0 && errno == EBUSY;
    if (*ret_in_use)
        fd = open(device, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(errno, "cannot open %s", device);
    if (!S_ISBLK(st.st_mode))
        return error_errno(ENOTBLK, "%s is not a disk", device);
    if (ioctl(fd, BLKGETSIZE64, &size) < 0)
        return error_errno(errno, "cannot get the size of %s", device);
    *ret_size = (int64_t)size;
    return NULL;
}

static void take_word(struct device_look *l, char *line)
{
    const char *value = strchr(line, '=');

    if (!value++)
        return;
    if (str_starts(line, "TYPE=") || (str_starts(line, "PTTYPE=") && !*l->fs))
        snprintf(l->fs, sizeof(l->fs), "%s", value);
    else if (str_starts(line, "UUID="))
        snprintf(l->uuid, sizeof(l->uuid), "%s", value);
    else if (str_starts(line, "LABEL="))
        snprintf(l->label, sizeof(l->label), "%s", value);
}

static struct error *programs_look(void *ctx, const char *device, struct device_look *ret)
{
    struct device_look l = {0};
    _cleanup_str_ struct str out = STR_INIT, err = STR_INIT;
    int status;
    char *line;

    TRY(open_device(device, &l.in_use, &l.size));
    _cleanup_spawn_ struct spawn s;
    spawn_init(&s, "blkid");
    spawn_add(&s, "-p");
    spawn_add(&s, "-o");
    spawn_add(&s, "export");
    spawn_add(&s, device);
    TRY(spawn_run_status(&s, MOUNT_TIME_S * SECOND_US, 65536, &out, &err, &status));
    char *rest = out.s;
    while (rest && (line = strsep(&rest, "\n")))
        take_word(&l, line);
    /* 0: told, 2: found nothing; 8: several kinds claim it. */
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 2))
        snprintf(l.fs, sizeof(l.fs), "unclear");
    *ret = l;
    return NULL;
}

static struct error *check_free(const char *device)
{
    bool in_use;
    int64_t size;

    TRY(open_device(device, &in_use, &size));
    return in_use ? error_errno(EBUSY, "%s is in use", device) : NULL;
}

static struct error *programs_format(void *ctx, const char *fs, const char *device,
                                     const char *uuid)
{
    static const char *const ext4[] = {"-q", "-F", "-E", "nodiscard", "-m", "0", NULL};
    static const char *const xfs[] = {"-q", "-f", "-K", NULL};
    const char *const *options = streq(fs, "ext4") ? ext4 : xfs;
    _cleanup_free_ char *program = xasprintf("mkfs.%s", fs);

    if ((!streq(fs, "ext4") && !streq(fs, "xfs")) || !uuid_is_plain(uuid))
        return error_text("\"%.32s\" is not made here", fs);
    TRY(check_free(device));
    _cleanup_spawn_ struct spawn s;
    spawn_init(&s, program);
    for (; *options; options++)
        spawn_add(&s, *options);
    spawn_add(&s, "-L");
    spawn_add(&s, MOUNT_LABEL);
    spawn_add(&s, streq(fs, "ext4") ? "-U" : "-m");
    spawn_addf(&s, streq(fs, "ext4") ? "%s" : "uuid=%s", uuid);
    spawn_add(&s, device);
    return run(&s, FORMAT_TIME_S, 0, NULL);
}

static struct error *programs_wipe(void *ctx, const char *device)
{
    TRY(check_free(device));
    _cleanup_spawn_ struct spawn s;
    spawn_init(&s, "wipefs");
    spawn_add(&s, "-a");
    spawn_add(&s, "-q");
    spawn_add(&s, device);
    return run(&s, MOUNT_TIME_S, 0, NULL);
}

/* ---- servers ---- */

/* "/path  clients" a line; the path may hold spaces, the list of clients does not. */
static struct error *programs_exports(void *ctx, const char *server, struct str *ret)
{
    _cleanup_str_ struct str out = STR_INIT;
    char *line;

    TRY(mount_check_server(server));
    _cleanup_spawn_ struct spawn s;
    spawn_init(&s, "showmount");
    spawn_add(&s, "--no-headers");
    spawn_add(&s, "-e");
    spawn_add(&s, server);
    TRY(run(&s, MOUNT_TIME_S, EXPORTS_MAX, &out));
    char *rest = out.s;
    while (rest && (line = strsep(&rest, "\n"))) {
        char *space = strrchr(line, ' ');

        while (space && space > line && *space == ' ')
            *space-- = 0;
        if (*line == '/')
            str_printf(ret, "%s\n", line);
    }
    return NULL;
}

const struct mounter mounter_programs = {
    .mount = programs_mount,
    .unmount = programs_unmount,
    .list = programs_list,
    .look = programs_look,
    .format = programs_format,
    .wipe = programs_wipe,
    .exports = programs_exports,
};
