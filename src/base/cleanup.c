/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"

#include <errno.h>

void cleanup_close(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    close(*fd);
    errno = saved;
    *fd = -1;
}

void cleanup_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
    *f = NULL;
}

void cleanup_closedir(DIR **d)
{
    if (*d)
        closedir(*d);
    *d = NULL;
}
