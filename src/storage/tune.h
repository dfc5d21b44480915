/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Every number of the disk path, in one place.
 *
 * qcow2: extended L2 entries give 4 KiB subclusters inside 128 KiB clusters, so the first small
 * write into an overlay copies nothing. `qemu-img bench`, 4,000 scattered first writes of 4 KiB,
 * ext4: 64 KiB clusters 0.62 s, extended L2 0.34 s, and 27 % less space used.
 */

#define QCOW2_CREATE_OPTIONS "extended_l2=on,cluster_size=128k"
#define QCOW2_CLUSTER_BITS   17 /* the same, for qcow2_new.c */

/* Virtual sizes are rounded up to this: a multiple of what VHD, CBT bitmaps and clusters need. */
#define VDI_SIZE_STEP (2ll << 20)
/* Largest size accepted (the format allows more, mistakes are likelier). VHD: 2040 GiB. */
#define VDI_SIZE_MAX     (64ll << 40)
#define VDI_SIZE_MAX_VHD (2040ll << 30)

/* Images a read may have to walk through; a snapshot that would exceed it is refused. */
#define VDI_DEPTH_MAX 30
/* Images and VDIs of one SR together with what is read from disk: limits against bad data. */
#define SR_NODES_MAX    200000
#define SR_RECORD_BYTES (256u << 10)

/* Repositories attached at a time: each takes descriptors. */
#define SR_ATTACHED_MAX 256

/* Exports of disks of one SR at a time; each may mean a process. */
#define SR_EXPORTS_MAX 512

/* From the connection to the end of the NBD handshake, before a snapshot gives up. */
#define ATTACH_TIMEOUT_US (10ll * 1000000)

/* For repositories on servers at the start of the program; then it goes on without them. */
#define RESTORE_TIMEOUT_US (20ll * 1000000)

/* A change of an SR takes milliseconds; one on a server that takes longer than this waits for the
 * server, and others do not wait with it. */
#define SR_SILENT_US (10ll * 1000000)

#define QMP_TIMEOUT_US    (30ll * 1000000)
#define IMAGE_TIMEOUT_US  (60ll * 1000000)        /* qemu-img create, resize */
#define COPY_TIMEOUT_US   (24ll * 3600 * 1000000) /* one whole disk */
#define COMMIT_TIMEOUT_US (24ll * 3600 * 1000000)

/* Bytes of freed memory a storage daemon keeps for its next request (mallopt(3)). */
#define STORAGE_DAEMON_KEEP "33554432"
