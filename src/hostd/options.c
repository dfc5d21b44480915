/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/options.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"

#include <getopt.h>

static const char help[] =
    "usage: xenolith-hostd --state DIR [options]\n"
    "\n"
    "  --state DIR    where the state lies; the same directory as that of xenolithd\n"
    "  --hv DRIVER    auto (default), libxl, qemu, sim: what runs guests; auto takes\n"
    "                 libxl in a control domain of Xen, else QEMU\n"
    "  --auth HOW     file (default): accounts of the state directory\n"
    "                 pam: accounts of this host, as root\n"
    "  --user NAME    may connect to DIR/run/hostd beside root and the caller\n"
    "  --api-state DIR         that of xenolithd, if it has one of its own; reports look at it\n"
    "  --mounts       repositories on devices, NFS and SMB (types ext, xfs, nfs, smb);\n"
    "                 as root\n"
    "  --manage-machine        clients may change name, clock, services and power of this machine\n"
    "  --merge-pause SECONDS   between looks for disk images to merge (30)\n"
    "  --debug        say more\n"
    "  --help, --version\n"
    "\n"
    "Stays in the foreground and writes to standard error. Guests outlive it.\n";

static struct error *one_of(const char *option, const char *value, const char *const *allowed)
{
    for (; *allowed; allowed++) {
        if (streq(*allowed, value))
            return NULL;
    }
    return error_text("--%s cannot be \"%s\"; see --help", option, value);
}

static struct error *parse_seconds(const char *text, int64_t *ret_us)
{
    char *end;
    long v = strtol(text, &end, 10);

    if (*end || end == text || v < 1 || v > 86400)
        return error_text("--merge-pause takes 1 to 86400 seconds; see --help");
    *ret_us = v * SECOND_US;
    return NULL;
}

static struct error *check(const struct options *o, int argc)
{
    static const char *const hvs[] = {"auto", "libxl", "qemu", "sim", NULL};
    static const char *const auths[] = {"file", "pam", NULL};

    if (optind < argc || (!o->state_dir && !o->pam_helper && !o->mount_root))
        return error_text("say where the state lies with --state DIR; see --help");
    TRY(one_of("hv", o->hv, hvs));
    return one_of("auth", o->auth, auths);
}

/* Of the features that Xen gives a domain (Xen, public/features.h). */
#define XENFEAT_DOM0 11

/* The kernel tells, also in a namespace without Xen's own file system. */
static bool is_control_domain(void)
{
    _cleanup_str_ struct str text = STR_INIT;
    struct error *e = io_read_file("/sys/hypervisor/properties/features", 64, &text);

    error_free(e);
    return strtoul(str_cstr(&text), NULL, 16) >> XENFEAT_DOM0 & 1;
}

static struct error *take(int c, struct options *o)
{
    switch (c) {
    case 's':
        o->state_dir = optarg;
        break;
    case 'A':
        o->api_state = optarg;
        break;
    case 'v':
        o->hv = optarg;
        break;
    case 'a':
        o->auth = optarg;
        break;
    case 'u':
        o->user = optarg;
        break;
    case 'm':
        TRY(parse_seconds(optarg, &o->merge_pause_us));
        break;
    case 'M':
        o->manage_machine = true;
        break;
    case 'n':
        o->mounts = true;
        break;
    case 'r':
        o->mount_root = optarg;
        break;
    case 'd':
        o->debug = true;
        break;
    case 'p':
        o->pam_helper = true;
        break;
    case 'h':
        fputs(help, stdout);
        exit(0);
    case 'V':
        puts("xenolith-hostd " XENOLITH_VERSION);
        exit(0);
    default:
        return error_text("unknown option; see --help");
    }
    return NULL;
}

struct error *options_parse(int argc, char **argv, struct options *ret)
{
    static const struct option known[] = {
        {"state", required_argument, NULL, 's'}, {"api-state", required_argument, NULL, 'A'},
        {"hv", required_argument, NULL, 'v'},    {"auth", required_argument, NULL, 'a'},
        {"user", required_argument, NULL, 'u'},  {"merge-pause", required_argument, NULL, 'm'},
        {"mounts", no_argument, NULL, 'n'},      {"mount-helper", required_argument, NULL, 'r'},
        {"debug", no_argument, NULL, 'd'},       {"manage-machine", no_argument, NULL, 'M'},
        {"pam-helper", no_argument, NULL, 'p'},  {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},     {NULL, 0, NULL, 0},
    };
    struct options o = {.hv = "auto", .auth = "file", .merge_pause_us = 30 * SECOND_US};
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
        TRY(take(c, &o));
    TRY(check(&o, argc));
    if (streq(o.hv, "auto"))
        o.hv = is_control_domain() ? "libxl" : "qemu";
    *ret = o;
    return NULL;
}
