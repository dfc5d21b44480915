/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives the seeds of a fuzz target to it, one by one: what every build can do, with any compiler.
 *
 * usage: replay_NAME FOLDER
 */
#include "base/io.h"
#include "base/mem.h"
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>

#define SEED_MAX (1u << 20)

int main(int argc, char **argv)
{
    _cleanup_closedir_ DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    const struct dirent *entry;
    int seeds = 0;

    while (dir && (entry = readdir(dir))) {
        _cleanup_free_ char *path = xasprintf("%s/%s", argv[1], entry->d_name);
        _cleanup_str_ struct str seed = STR_INIT;

        if (entry->d_type == DT_DIR)
            continue;
        struct error *e = io_read_file(path, SEED_MAX, &seed);

        if (e) {
            _cleanup_free_ char *why = error_string(e);

            fprintf(stderr, "%s\n", why);
            error_free(e);
            return 1;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)str_cstr(&seed), seed.len);
        seeds++;
    }
    printf("%d seeds\n", seeds);
    return seeds ? 0 : 1;
}
