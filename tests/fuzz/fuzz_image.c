/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads of images that hostd looks at itself: 'q' qcow2, 'v' VHD, else raw. What is called sound
 * has the size its record says. */
#include "fuzz/fuzz.h"
#include "storage/image_header.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];
static int dir = -1, file = -1;

static void clean_up(void)
{
    unlinkat(dir, "image", 0);
    rmdir(path);
}

static void set_up(void)
{
    /* In memory, if it can be: the input is written each time. */
    snprintf(path, sizeof(path), "%s/xenolith-fuzz-image-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    assert(mkdtemp(path));
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    file = openat(dir, "image", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert(file >= 0);
    atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_stat found, again;
    enum image_format format;

    if (size < 1)
        return 0;
    if (dir < 0)
        set_up();
    format = data[0] == 'q' ? IMAGE_QCOW2 : data[0] == 'v' ? IMAGE_VHD : IMAGE_RAW;
    assert(ftruncate(file, 0) == 0);
    assert(pwrite(file, data + 1, size - 1, 0) == (ssize_t)size - 1);
    image_file_stat(dir, "image", format, 1 << 21, &found);
    assert(!found.sound || found.size == 1 << 21);
    assert(found.size >= 0);
    if (found.size > 0) {
        image_file_stat(dir, "image", format, found.size, &again);
        assert(again.sound && again.size == found.size);
    }
    return 0;
}
