/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ldap/reason.h"

#include "base/io.h"
#include "base/mem.h"

#include <errno.h>
#include <ldap.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define PATIENCE_MS 1000

/* errno, 0 = connected. */
static int try_address(const struct addrinfo *at)
{
    _cleanup_close_ int fd =
        socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int errnum = 0;
    socklen_t size = sizeof(errnum);

    if (fd < 0)
        return errno;
    if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (TEMP_FAILURE_RETRY(poll(&p, 1, PATIENCE_MS)) < 1)
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &size) < 0 ? errno : errnum;
}

static char *try_host(const char *host, int port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    char service[16];
    int errnum = 0;

    snprintf(service, sizeof(service), "%d", port);
    int r = getaddrinfo(host, service, &hints, &all);

    if (r)
        return xstrdup(r == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(r));
    for (const struct addrinfo *at = all; at; at = at->ai_next) {
        errnum = try_address(at);
        if (!errnum)
            break;
    }
    freeaddrinfo(all);
    return errnum ? xstrdup(strerrordesc_np(errnum)) : NULL;
}

static char *try_socket(const char *path)
{
    _cleanup_close_ int fd = -1;
    struct error *e = io_connect_unix(path, SOCK_STREAM, &fd);
    char *text = e ? error_string(e) : NULL;

    error_free(e);
    return text;
}

char *reason_unreachable(const char *uri)
{
    LDAPURLDesc *url = NULL;

    if (ldap_url_parse(uri, &url) != LDAP_URL_SUCCESS)
        return NULL;
    char *text = streq(url->lud_scheme, "ldapi") ? try_socket(url->lud_host)
                                                 : try_host(url->lud_host, url->lud_port);

    ldap_free_urldesc(url);
    return text;
}
