/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/io.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LOCK_TRIES   200
#define LOCK_REST_MS 5

#define FILE_NAME_LEN 128

struct error *io_write_all(int fd, const void *p, size_t n)
{
    const char *at = p;

    while (n) {
        ssize_t done = write(fd, at, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return error_errno(errno, "cannot write");
        at += done;
        n -= (size_t)done;
    }
    return NULL;
}

struct error *io_read_all(int fd, void *p, size_t n)
{
    char *at = p;

    while (n) {
        ssize_t got = read(fd, at, n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(errno, "cannot read");
        if (got == 0)
            return error_text("unexpected end of file");
        at += got;
        n -= (size_t)got;
    }
    return NULL;
}

struct error *io_read_file(const char *path, size_t max, struct str *ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(errno, "cannot open %s", path);
    str_clear(ret);
    for (;;) {
        str_reserve(ret, 4096);
        ssize_t got = read(fd, ret->s + ret->len, ret->cap - ret->len - 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(errno, "cannot read %s", path);
        ret->len += (size_t)got;
        ret->s[ret->len] = 0;
        if (ret->len > max)
            return error_errno(EFBIG, "%s is larger than %zu bytes", path, max);
        if (got == 0)
            return NULL;
    }
}

struct error *io_fsync_dir(const char *dir)
{
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_errno(errno, "cannot flush directory %s", dir);
    return NULL;
}

static struct error *write_temporary(const char *path, const void *p, size_t n, mode_t mode,
                                     bool flush)
{
    _cleanup_close_ int fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

    if (fd < 0)
        return error_errno(errno, "cannot create %s", path);
    struct error *e = io_write_all(fd, p, n);

    if (e)
        return error_prepend(e, "%s", path);
    if (fchmod(fd, mode) < 0 || (flush && fsync(fd) < 0))
        return error_errno(errno, "cannot flush %s", path);
    return NULL;
}

struct error *io_replace_file(const char *path, const void *p, size_t n, mode_t mode)
{
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", path);
    struct error *e = write_temporary(tmp, p, n, mode, false);

    if (!e && rename(tmp, path) < 0)
        e = error_errno(errno, "cannot rename %s to %s", tmp, path);
    if (e)
        unlink(tmp);
    return e;
}

void io_remove_temporaries(const char *dir)
{
    _cleanup_closedir_ DIR *d = opendir(dir);
    const struct dirent *entry;

    while (d && (entry = readdir(d)))
        if (str_ends(entry->d_name, ".tmp"))
            unlinkat(dirfd(d), entry->d_name, 0);
}

/* Did the two change places? Not every file system can (NFS): then `to` is replaced for good. */
static struct error *put_in_place(const char *tmp, const char *path, bool *ret_swapped,
                                  bool *ret_new)
{
    *ret_new = false;
    *ret_swapped = renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_EXCHANGE) == 0;
    if (*ret_swapped)
        return NULL;
    *ret_new = errno == ENOENT;
    if ((!*ret_new && errno != EINVAL && errno != ENOSYS) || rename(tmp, path) < 0)
        return error_errno(errno, "cannot rename %s to %s", tmp, path);
    return NULL;
}

struct error *io_write_file(const char *path, const void *p, size_t n, mode_t mode)
{
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", path);
    _cleanup_free_ char *copy = xstrdup(path);
    bool swapped = false, is_new = false;
    struct error *e = write_temporary(tmp, p, n, mode, true);

    if (!e)
        e = put_in_place(tmp, path, &swapped, &is_new);
    if (e) {
        unlink(tmp);
        return e;
    }
    e = io_fsync_dir(dirname(copy));
    if (e && swapped && rename(tmp, path) == 0)
        return e;
    if (e && is_new)
        unlink(path);
    if (swapped)
        unlink(tmp);
    return e;
}

struct error *io_mkdir_p(const char *dir, mode_t mode)
{
    _cleanup_free_ char *path = xstrdup(dir);

    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p)
            continue;
        char c = *p;

        *p = 0;
        if (mkdir(path, mode) < 0 && errno != EEXIST)
            return error_errno(errno, "cannot create directory %s", path);
        if (!c)
            return NULL;
        *p = c;
    }
}

bool io_is_file_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return n && n <= FILE_NAME_LEN && name[n] == 0 && name[0] != '.';
}

struct error *io_unlink(const char *path)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(errno, "cannot remove %s", path);
    return NULL;
}

/*
 * sun_path holds 107 characters; state directories of users are often deeper. Through
 * /proc/self/fd/N of the directory every path fits.
 */
static struct error *unix_address(const char *path, struct sockaddr_un *sa, int *ret_dir)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    *ret_dir = -1;
    if (strlen(path) < sizeof(sa->sun_path)) {
        memcpy(sa->sun_path, path, strlen(path));
        return NULL;
    }
    _cleanup_free_ char *copy = xstrdup(path);
    const char *slash = strrchr(path, '/');
    int dir = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return error_errno(errno, "cannot open the directory of %s", path);
    int n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d%s", dir, slash);

    if (n < 0 || (size_t)n >= sizeof(sa->sun_path)) {
        close(dir);
        return error_errno(ENAMETOOLONG, "socket name %s", path);
    }
    *ret_dir = dir;
    return NULL;
}

struct error *io_listen_unix(const char *path, int type, mode_t mode, int *ret_fd)
{
    struct sockaddr_un sa;
    _cleanup_close_ int dir = -1;

    TRY(unix_address(path, &sa, &dir));
    _cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return error_errno(errno, "cannot make a socket");
    TRY(io_unlink(path));
    /* On Linux the mode of the inode follows fchmod on the unbound socket: no moment of wider
     * access. */
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        return error_errno(errno, "cannot bind %s", path);
    if (listen(fd, 128) < 0)
        return error_errno(errno, "cannot listen on %s", path);
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

struct error *io_connect_unix(const char *path, int type, int *ret_fd)
{
    struct sockaddr_un sa;
    _cleanup_close_ int dir = -1;

    TRY(unix_address(path, &sa, &dir));
    _cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return error_errno(errno, "cannot make a socket");
    if (TEMP_FAILURE_RETRY(connect(fd, (struct sockaddr *)&sa, sizeof(sa))) < 0)
        return error_errno(errno, "cannot connect to %s", path);
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

struct error *io_lock(int fd)
{
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (errno != EINTR && (errno != EWOULDBLOCK || i >= LOCK_TRIES))
            return error_errno(errno, "cannot lock");
        poll(NULL, 0, LOCK_REST_MS);
    }
    return NULL;
}

struct error *io_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
        return error_errno(errno, "cannot change descriptor flags");
    return NULL;
}
