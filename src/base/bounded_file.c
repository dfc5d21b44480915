/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/bounded_file.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>

static bool may_have_size(int fd, off_t size)
{
    return TEMP_FAILURE_RETRY(ftruncate(fd, size)) == 0;
}

struct error *bounded_file_make(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    off_t most = 0;

    if (fd < 0)
        return error_errno(errno, "cannot make %s", path);
    if (lseek(fd, 0, SEEK_END) > 0)
        return NULL;
    for (int bit = 62; bit >= 0; bit--)
        if (may_have_size(fd, most | (off_t)1 << bit))
            most |= (off_t)1 << bit;
    if (!may_have_size(fd, most & ~(off_t)(BOUNDED_FILE_ROOM - 1)))
        return error_errno(errno, "cannot make %s", path);
    return NULL;
}

off_t bounded_file_start(int fd)
{
    return lseek(fd, 0, SEEK_END) & ~(off_t)(BOUNDED_FILE_ROOM - 1);
}

bool bounded_file_cut(int fd)
{
    return may_have_size(fd, bounded_file_start(fd));
}

struct error *bounded_file_tail(const char *path, size_t max, struct str *ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return error_errno(errno, "cannot open %s", path);
    off_t from = MAX(bounded_file_start(fd), lseek(fd, 0, SEEK_END) - (off_t)max);
    _cleanup_free_ char *text = xmalloc(max);
    ssize_t n = TEMP_FAILURE_RETRY(pread(fd, text, max, from));

    if (n < 0)
        return error_errno(errno, "cannot read %s", path);
    str_add_mem(ret, text, (size_t)n);
    return NULL;
}
