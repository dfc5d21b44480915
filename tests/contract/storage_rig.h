/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the storage tests share: a storage in a directory of its own, one attached SR of the kind
 * under test, disks filled and read over NBD.
 */

#include "fake_mounter.h"
#include "hv/qmp.h"
#include "storage/vdi.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MIB (1ll << 20)

struct rig {
    const char *type;
    char *dir; /* of this test; removed at the end */
    char *sr_dir;
    struct qmp_loop *loop;
    struct fake_mounter fake;
    struct storage *storage;
    struct uuid_text sr;
    /* Of a test that starts a QEMU: ended with the test, also a failed one. */
    pid_t guest;
    struct qmp *guest_qmp;
};

/* Which kind of SR rig_set_up makes. Those with a file system of their own have one of
 * fake_mounter.h, or a real one on rig_device if that is set. */
extern const char *rig_type;
extern const char *rig_device;
/* What a device_config of that kind says here. */
struct map rig_config(const char *type);
int rig_set_up(void **state);
int rig_tear_down(void **state);
/* The storage ends / starts again and attaches the SR. */
void rig_stop(struct rig *r);
void rig_open(struct rig *r); /* without attaching */
void rig_start(struct rig *r);
void rig_restart(struct rig *r);
/* Another process's directory and SR, attached here. */
struct rig *rig_take_over(const char *dir, const char *sr);
void rig_give_back(struct rig *r);
struct error *rig_attach(struct rig *r);
struct sr_spec rig_spec(const struct rig *r);

/* The test ends here if e is an error, and says which. */
void must(struct error *e);
/* The error must have this code. */
void must_fail(struct error *e, const char *code);

struct uuid_text rig_disk(struct rig *r, int64_t size);

/* An open NBD connection to a disk. */
struct disk {
    struct rig *rig;
    struct uuid_text id;
    int fd; /* libnbd's from disk_attach on */
    struct nbd_handle *nbd;
};
/* In two steps: the connection, then the handshake. */
struct disk disk_connect(struct rig *r, const char *vdi, bool writable);
void disk_attach(struct disk *d);
struct disk disk_open(struct rig *r, const char *vdi, bool writable);
void disk_close(struct disk *d);
/* One MiB at a place, filled with one byte. */
void disk_fill(struct disk *d, int64_t at, unsigned char byte);
unsigned char disk_byte(struct disk *d, int64_t at);
/* Opens, does it, closes. */
void vdi_fill(struct rig *r, const char *vdi, int64_t at, unsigned char byte);
unsigned char vdi_byte(struct rig *r, const char *vdi, int64_t at);

/* Runs "find <dir> -name <pattern>": how many files of the SR match. */
int rig_count_files(const struct rig *r, const char *pattern);
