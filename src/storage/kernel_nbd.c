/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/kernel_nbd.h"

#include "base/io.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <linux/nbd-netlink.h>
#include <linux/nbd.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#define BLOCK_SIZE 512

/* ---- netlink ---- */

static struct error *nl_failure(int rc, const char *what)
{
    return error_text("%s: %s", what, nl_geterror(rc));
}

static int take_index(struct nl_msg *m, void *arg)
{
    struct nlattr *attr[NBD_ATTR_MAX + 1];

    if (genlmsg_parse(nlmsg_hdr(m), 0, attr, NBD_ATTR_MAX, NULL) == 0 && attr[NBD_ATTR_INDEX])
        *(int *)arg = (int)nla_get_u32(attr[NBD_ATTR_INDEX]);
    return NL_OK;
}

/* An error of the kernel ends the conversation with its number. */
static struct error *talk(struct nl_sock *s, struct nl_msg *m, int *index)
{
    int rc;

    nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, take_index, index);
    rc = nl_send_auto(s, m);
    while (rc >= 0 && *index == -1)
        rc = nl_recvmsgs_default(s);
    return rc < 0 ? nl_failure(rc, "the kernel's nbd driver refuses") : NULL;
}

struct request {
    struct nl_sock *sock;
    struct nl_msg *msg;
};

static void request_end(struct request *r)
{
    nlmsg_free(r->msg);
    nl_socket_free(r->sock);
}

static struct error *request_begin(struct request *r, int command)
{
    r->sock = nl_socket_alloc();
    r->msg = nlmsg_alloc();
    if (!r->sock || !r->msg)
        abort();
    int rc = genl_connect(r->sock);
    int family = rc < 0 ? rc : genl_ctrl_resolve(r->sock, NBD_GENL_FAMILY_NAME);

    if (family < 0)
        return nl_failure(family, "the kernel has no nbd driver");
    genlmsg_put(r->msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0, (uint8_t)command,
                NBD_GENL_VERSION);
    return NULL;
}

/* ---- the handshake ---- */

struct negotiated {
    int fd;
    uint64_t size;
    uint64_t flags;
};

static uint64_t flags_of(struct nbd_handle *nbd)
{
    uint64_t flags = NBD_FLAG_HAS_FLAGS;

    if (nbd_is_read_only(nbd) > 0)
        flags |= NBD_FLAG_READ_ONLY;
    if (nbd_can_flush(nbd) > 0)
        flags |= NBD_FLAG_SEND_FLUSH;
    if (nbd_can_fua(nbd) > 0)
        flags |= NBD_FLAG_SEND_FUA;
    if (nbd_can_trim(nbd) > 0)
        flags |= NBD_FLAG_SEND_TRIM;
    return flags;
}

/* libnbd speaks first; from then on the connection is the kernel's. */
static struct error *negotiate(int fd, const char *export_name, struct negotiated *ret)
{
    struct nbd_handle *nbd = nbd_create();
    struct error *e = NULL;

    if (!nbd)
        abort();
    nbd_set_export_name(nbd, export_name);
    nbd_set_request_structured_replies(nbd, false);
    if (nbd_connect_socket(nbd, fd) < 0) {
        e = error_errno(nbd_get_errno(), "NBD: %s", nbd_get_error());
    } else {
        *ret = (struct negotiated){.fd = fcntl(nbd_aio_get_fd(nbd), F_DUPFD_CLOEXEC, 0),
                                   .size = (uint64_t)nbd_get_size(nbd),
                                   .flags = flags_of(nbd)};
        if (ret->fd < 0)
            e = error_errno(errno, "cannot keep the connection");
    }
    nbd_close(nbd);
    return e;
}

/* ---- devices ---- */

static bool is_identified(const char *name, const char *identifier)
{
    _cleanup_free_ char *path = xasprintf("/sys/block/%s/backend", name);
    _cleanup_str_ struct str text = STR_INIT;
    struct error *e = io_read_file(path, 256, &text);

    if (e) {
        error_free(e); /* not connected */
        return false;
    }
    str_cstr(&text);
    text.s[strcspn(text.s, "\n")] = 0;
    return streq(text.s, identifier);
}

static int find_index(const char *identifier)
{
    _cleanup_closedir_ DIR *dir = opendir("/sys/block");
    const struct dirent *entry;
    int index = -1;

    while (dir && index < 0 && (entry = readdir(dir))) {
        if (str_starts(entry->d_name, "nbd") && is_identified(entry->d_name, identifier))
            index = (int)strtol(entry->d_name + 3, NULL, 10);
    }
    return index;
}

static void set_path(int index, char ret[KERNEL_NBD_PATH])
{
    snprintf(ret, KERNEL_NBD_PATH, "/dev/nbd%d", index);
}

bool kernel_nbd_find(const char *identifier, char ret_path[KERNEL_NBD_PATH])
{
    int index = find_index(identifier);

    if (index >= 0)
        set_path(index, ret_path);
    return index >= 0;
}

static struct error *connect_device(const struct negotiated *n, const char *identifier, int *index)
{
    __attribute__((cleanup(request_end))) struct request r = {0};

    TRY(request_begin(&r, NBD_CMD_CONNECT));
    nla_put_u64(r.msg, NBD_ATTR_SIZE_BYTES, n->size);
    nla_put_u64(r.msg, NBD_ATTR_BLOCK_SIZE_BYTES, BLOCK_SIZE);
    nla_put_u64(r.msg, NBD_ATTR_SERVER_FLAGS, n->flags);
    nla_put_u64(r.msg, NBD_ATTR_DEAD_CONN_TIMEOUT, KERNEL_NBD_PATIENCE_S);
    nla_put_string(r.msg, NBD_ATTR_BACKEND_IDENTIFIER, identifier);
    struct nlattr *sockets = nla_nest_start(r.msg, NBD_ATTR_SOCKETS);
    struct nlattr *item = nla_nest_start(r.msg, NBD_SOCK_ITEM);

    nla_put_u32(r.msg, NBD_SOCK_FD, (uint32_t)n->fd);
    nla_nest_end(r.msg, item);
    nla_nest_end(r.msg, sockets);
    return talk(r.sock, r.msg, index);
}

struct error *kernel_nbd_open(int fd, const char *export_name, const char *identifier,
                              char ret_path[KERNEL_NBD_PATH])
{
    struct negotiated n;
    int index = -1;

    if (kernel_nbd_find(identifier, ret_path)) {
        cleanup_close(&fd);
        return NULL;
    }
    TRY(negotiate(fd, export_name, &n));
    struct error *e = connect_device(&n, identifier, &index);

    cleanup_close(&n.fd); /* the kernel has it */
    if (!e)
        set_path(index, ret_path);
    return e;
}

/* Waits for the kernel's yes or no. */
static struct error *disconnect(int index)
{
    __attribute__((cleanup(request_end))) struct request r = {0};

    TRY(request_begin(&r, NBD_CMD_DISCONNECT));
    nla_put_u32(r.msg, NBD_ATTR_INDEX, (uint32_t)index);
    int rc = nl_send_sync(r.sock, TAKE_PTR(r.msg));

    return rc < 0 ? nl_failure(rc, "the kernel's nbd driver refuses") : NULL;
}

struct error *kernel_nbd_close(const char *identifier)
{
    int index = find_index(identifier);

    return index < 0 ? NULL : disconnect(index);
}

struct error *kernel_nbd_flush(const char *identifier)
{
    char path[KERNEL_NBD_PATH];

    if (!kernel_nbd_find(identifier, path))
        return NULL;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_errno(errno, "cannot flush %s", path);
    return NULL;
}
