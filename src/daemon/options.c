/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/options.h"

#include "base/mem.h"
#include "base/world.h"

#include <getopt.h>

static const char help[] =
    "usage: xenolithd --state DIR [options]\n"
    "\n"
    "Answers the XenAPI for this host. It holds the store and the tasks; xenolith-hostd, started\n"
    "beside it with the same --state, does what touches the machine.\n"
    "\n"
    "  --state DIR           where everything is kept (required)\n"
    "  --http ADDRESS:PORT   plain HTTP, default 127.0.0.1:8080; `off` for none\n"
    "  --tls ADDRESS:PORT    HTTPS, default 127.0.0.1:8443; `off` for none\n"
    "  --web DIR             files served to GET requests\n"
    "  --hostd SOCKET        where xenolith-hostd listens, default DIR/run/hostd\n"
    "  --user NAME           started by root: become this user first\n"
    "  --login-delay SECONDS how long a refused login waits for its answer, default 5\n"
    "  --directory-check SECONDS  how often people with a session are looked up again in the\n"
    "                        directory they came from, default 300; 0 for never\n"
    "  --debug               more log lines\n"
    "  --version             print the version and exit\n"
    "  --help                this text\n"
    "\n"
    "The local socket is DIR/run/xapi: its owner and root need no password there.\n";

enum {
    OPT_STATE = 256,
    OPT_HTTP,
    OPT_TLS,
    OPT_WEB,
    OPT_HOSTD,
    OPT_USER,
    OPT_DELAY,
    OPT_CHECK,
    OPT_DEBUG,
    OPT_VERSION,
    OPT_HELP
};

static const struct option long_options[] = {
    {"state", required_argument, NULL, OPT_STATE},
    {"http", required_argument, NULL, OPT_HTTP},
    {"tls", required_argument, NULL, OPT_TLS},
    {"web", required_argument, NULL, OPT_WEB},
    {"hostd", required_argument, NULL, OPT_HOSTD},
    {"user", required_argument, NULL, OPT_USER},
    {"login-delay", required_argument, NULL, OPT_DELAY},
    {"directory-check", required_argument, NULL, OPT_CHECK},
    {"debug", no_argument, NULL, OPT_DEBUG},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static struct error *parse_seconds(const char *option, const char *text, int64_t *ret_us)
{
    char *end;
    double seconds = strtod(text, &end);

    if (!*text || *end || !(seconds >= 0 && seconds <= 3600))
        return error_text("--%s takes seconds from 0 to 3600, not '%s'", option, text);
    *ret_us = (int64_t)(seconds * 1000000);
    return NULL;
}

static struct error *take(int c, struct options *o)
{
    switch (c) {
    case OPT_STATE:
        o->state_dir = optarg;
        return NULL;
    case OPT_HTTP:
        o->http = optarg;
        return NULL;
    case OPT_TLS:
        o->tls = optarg;
        return NULL;
    case OPT_WEB:
        o->web_dir = optarg;
        return NULL;
    case OPT_HOSTD:
        o->hostd = optarg;
        return NULL;
    case OPT_USER:
        o->user = optarg;
        return NULL;
    case OPT_DELAY:
        return parse_seconds("login-delay", optarg, &o->login_delay_us);
    case OPT_CHECK:
        return parse_seconds("directory-check", optarg, &o->directory_check_us);
    case OPT_DEBUG:
        o->debug = true;
        return NULL;
    case OPT_VERSION:
        puts("xenolithd " XENOLITH_VERSION);
        exit(0);
    case OPT_HELP:
        fputs(help, stdout);
        exit(0);
    default:
        return error_text("try --help");
    }
}

struct error *options_parse(int argc, char **argv, struct options *ret)
{
    struct options o = {
        .http = "127.0.0.1:8080",
        .tls = "127.0.0.1:8443",
        .login_delay_us = 5 * SECOND_US,
        .directory_check_us = 300 * SECOND_US,
    };
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        TRY(take(c, &o));
    if (optind < argc)
        return error_text("'%s' is no option; try --help", argv[optind]);
    if (str_empty(o.state_dir))
        return error_text("--state DIR is missing; try --help");
    *ret = o;
    return NULL;
}

struct error *options_address(const char *text, char **ret_address, uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    char *end;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

    if (!colon || !colon[1] || *end || port > 65535)
        return error_text("'%s' is not ADDRESS:PORT", text);
    const char *from = text;
    size_t len = (size_t)(colon - text);

    if (len >= 2 && from[0] == '[' && from[len - 1] == ']') {
        from++;
        len -= 2;
    }
    *ret_address = xmemdup0(from, len);
    *ret_port = (uint16_t)port;
    return NULL;
}
