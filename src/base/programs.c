/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/programs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void program_find(const char *built, const char *installed, char ret[PATH_MAX])
{
    const size_t room = strlen(built) + 1;
    ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - room);

    ret[n > 0 ? n : 0] = 0;
    char *slash = strrchr(ret, '/');

    if (slash)
        memcpy(slash + 1, built, room);
    if (!slash || access(ret, X_OK) < 0)
        snprintf(ret, PATH_MAX, "%s", installed);
}
