/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/confine.h"

#include "base/log.h"
#include "sandbox/privileges.h"
#include "sandbox/syscalls.h"

#include <linux/capability.h>

/* Files of other users (a repository on a share, the directory of a guest), their processes,
 * accounts and their log, the network of guests, the kernel's messages. */
#define KEPT                                                                                       \
    (CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER) |               \
     CAPABILITY(CAP_KILL) | CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) |                      \
     CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_SYSLOG) | CAPABILITY(CAP_AUDIT_WRITE))

/* Nothing here or in a guest's program changes the kernel, the tree of mounts or the clock, or
 * looks into other processes. */
#define MOUNTING                                                                                   \
    "mount umount umount2 move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr "
#define KERNEL                                                                                     \
    "ptrace process_vm_readv process_vm_writev kcmp kexec_load kexec_file_load init_module "       \
    "finit_module delete_module bpf perf_event_open pivot_root chroot unshare setns reboot "       \
    "swapon swapoff acct quotactl settimeofday clock_settime clock_settime64 clock_adjtime "       \
    "adjtimex stime iopl ioperm modify_ldt userfaultfd add_key request_key keyctl "                \
    "open_by_handle_at lookup_dcookie nfsservctl vhangup sethostname setdomainname personality"

/* On Xen also: the kernel connects block devices of nbd for nobody else. */
#define KEPT_XEN CAPABILITY(CAP_SYS_ADMIN)

/* Mounting, and what mount.nfs and mount.cifs want to have: ports of root, directories of others.
 */
#define KEPT_MOUNTING                                                                              \
    (CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_DAC_READ_SEARCH) |  \
     CAPABILITY(CAP_NET_BIND_SERVICE) | CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_FOWNER) |           \
     CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID))

static struct error *confine(uint64_t capabilities, const char *denied)
{
    TRY(privileges_keep(capabilities));
    TRY(privileges_no_new());
    TRY(privileges_no_dump());
    if (syscalls_can_limit())
        return syscalls_deny(denied);
    log_warning("sandbox: no list of system calls");
    return NULL;
}

struct error *confine_self(bool xen)
{
    return confine(xen ? KEPT | KEPT_XEN : KEPT, MOUNTING KERNEL);
}

struct error *confine_mount_helper(void)
{
    return confine(KEPT_MOUNTING, KERNEL);
}
