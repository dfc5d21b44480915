/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raw_peer.h"

#include "base/io.h"
#include "proto/frame.h"
#include "proto/message.h"

#include <errno.h>
#include <sys/socket.h>

int raw_connection(const char *path)
{
    struct timeval limit = {.tv_sec = 20};
    int fd;

    assert_null(io_connect_unix(path, SOCK_STREAM, &fd));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

void raw_greet(int fd, const char *schema)
{
    struct host_hello_args args = {.version = "raw", .schema = schema};
    _cleanup_str_ struct str text = STR_INIT;

    message_add_call(&text, 77, &host_calls[HOST_CALL_HELLO], &args);
    assert_null(frame_send(fd, text.s, text.len, NULL, 0));
}

int raw_greeted(const char *path)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    int fd = raw_connection(path);

    raw_greet(fd, HOST_PROTO_DIGEST);
    assert_null(frame_recv(fd, FRAME_MAX_REPLY, &f));
    assert_non_null(strstr(str_cstr(&f.text), "\"result\""));
    return fd;
}

void raw_await_end(int fd)
{
    char buf[4096];
    ssize_t n;

    do
        n = recv(fd, buf, sizeof(buf), 0);
    while (n > 0);
    /* ECONNRESET: it was cut off before it read all we sent. */
    if (n < 0 && errno != ECONNRESET)
        fail_msg("not cut off: %s", strerror(errno));
}
