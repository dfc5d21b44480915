/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device_config asks to be mounted: keys as clients know them from other servers. */

#include "storage/sr_mount.h"

#include "storage/sr_internal.h"
#include "value/value.h"

#include <ctype.h>
#include <limits.h>

/* A silent server fails a request after 10 + 20 + 30 s. Attributes are never kept, since another
 * host may have changed them. */
#define NFS_OPTIONS "soft,proto=tcp,timeo=100,retrans=2,acdirmin=0,acdirmax=0,noatime"
/* Locks of images stay on this host: a server takes them for a ban on writing. */
#define SMB_OPTIONS "uid=0,gid=0,file_mode=0600,dir_mode=0700,actimeo=0,echo_interval=10,nobrl"

static const struct sr_type types[] = {
    {"file", &sr_dir_driver, NULL}, {"iso", &sr_iso_driver, NULL},   {"sim", &sr_sim_driver, NULL},
    {"dir", &sr_dir_driver, NULL},  {"ext", &sr_dir_driver, "ext4"}, {"xfs", &sr_dir_driver, "xfs"},
    {"nfs", &sr_dir_driver, "nfs"}, {"smb", &sr_dir_driver, "cifs"},
};

struct error *sr_find_type(const char *type, const struct sr_type **ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (streq(types[i].type, type)) {
            *ret = &types[i];
            return NULL;
        }
    }
    return error_api("SR_UNKNOWN_DRIVER", 1, type);
}

struct error *sr_find_usable_type(const struct storage *s, const char *type,
                                  const struct sr_type **ret)
{
    TRY(sr_find_type(type, ret));
    return (*ret)->fs && !s->config.mounter ? error_api("SR_UNKNOWN_DRIVER", 1, type) : NULL;
}

const char *sr_type_name(const struct storage *s, size_t i)
{
    for (size_t j = 0; j < ARRAY_SIZE(types); j++) {
        bool is_other_name = streq(types[j].type, "dir");

        if (is_other_name || (types[j].fs && s && !s->config.mounter))
            continue;
        if (i-- == 0)
            return types[j].type;
    }
    return NULL;
}

void sr_mount_fini(struct sr_mount *m)
{
    if (m->password)
        explicit_bzero(m->password, strlen(m->password));
    free(m->source);
    free(m->options);
    free(m->password);
    free(m->below);
    *m = (struct sr_mount){0};
}

/* ---- words ---- */

static bool holds_only(const char *s, const char *more)
{
    for (; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr(more, *s))
            return false;
    }
    return true;
}

static bool is_path(const char *s)
{
    if (*s != '/' || strlen(s) > PATH_MAX - 256)
        return false;
    for (; *s; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    }
    return true;
}

static bool climbs(const char *path)
{
    for (; *path; path += strspn(path, "/")) {
        size_t n = strcspn(path, "/");

        if (n == 2 && path[0] == '.' && path[1] == '.')
            return true;
        path += n;
    }
    return false;
}

struct error *mount_check_server(const char *server)
{
    if (*server && *server != '-' && strlen(server) < 256 && holds_only(server, ".-_:[]%"))
        return NULL;
    return error_text("\"%.64s\" is not the name of a server", server);
}

struct error *mount_check_device(const char *device)
{
    if (str_starts(device, "/dev/") && is_path(device) && !climbs(device))
        return NULL;
    return error_text("%.128s is not a device", device);
}

/* server:/path or //server/share */
static struct error *check_remote(const char *source, bool nfs)
{
    const char *server = nfs || !str_starts(source, "//") ? source : source + 2;
    const char *end = nfs ? strstr(server, ":/") : strchr(server, '/');

    if (!end || (!nfs && (server == source || !end[1])))
        return error_text("%.128s names no server and path", source);
    _cleanup_free_ char *name = xmemdup0(server, (size_t)(end - server));
    const char *path = nfs ? end + 1 : end;

    TRY(mount_check_server(name));
    if (!is_path(path) || climbs(path))
        return error_text("%.128s is not a path on a server", source);
    return NULL;
}

struct error *mount_check_order(const struct mount_order *o)
{
    bool nfs = streq(o->fs, "nfs"), cifs = streq(o->fs, "cifs");

    if (!uuid_is_plain(o->name))
        return error_text("\"%.64s\" is no name for a mount", o->name);
    /* A user of a share may have a space in his name; nothing else needs one. */
    if (!holds_only(o->options, cifs ? "=,._:/+@$ -" : "=,._:/+-") || strlen(o->options) > 1024)
        return error_text("options hold a character that is not allowed");
    if (nfs || cifs)
        return check_remote(o->source, nfs);
    if (streq(o->fs, "ext4") || streq(o->fs, "xfs"))
        return mount_check_device(o->source);
    return error_text("\"%.32s\" is not mounted here", o->fs);
}

/* ---- the kinds ---- */

static const char *get(const struct sr_spec *spec, const char *key)
{
    const char *v = map_string_find(&spec->device_config, key);

    return v && *v ? v : NULL;
}

static struct error *bad(int n, const char *why, struct error *e)
{
    _cleanup_error_ struct error *problem = e;

    return sr_failure((enum sr_failure)n, "%s: %s", why, problem->detail);
}

static struct error *parse_device(const struct sr_spec *spec, bool open, struct sr_mount *m)
{
    const char *device = get(spec, "device");

    m->failure = SR_FAILURE_UNAVAILABLE;
    m->force = get(spec, "force") && strcasecmp(get(spec, "force"), "true") == 0;
    m->options = xstrdup("noatime");
    if (!device && open)
        return NULL;
    if (!device)
        return sr_failure(SR_FAILURE_DEVICE_MISSING, "The request is missing the device parameter");
    if (strchr(device, ','))
        return sr_failure(SR_FAILURE_DEVICE_INVALID,
                          "one device each: join several with LVM first");
    struct error *e = mount_check_device(device);
    if (e)
        return bad(SR_FAILURE_DEVICE_INVALID, "The device is not a valid path", e);
    m->source = xstrdup(device);
    return NULL;
}

/* Of the mount's options those that a user of a server may have to set. */
static struct error *add_nfs_options(const char *given, char **to)
{
    static const char *const allowed[] = {"rsize", "wsize",     "timeo",      "retrans", "nconnect",
                                          "port",  "mountport", "sec",        "proto",   "actimeo",
                                          "noac",  "nolock",    "lookupcache"};
    _cleanup_free_ char *list = xstrdup(given);
    char *rest = list, *one;

    while ((one = strsep(&rest, ","))) {
        bool known = !*one;

        for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
            known |= strncmp(one, allowed[i], strlen(allowed[i])) == 0 &&
                     (one[strlen(allowed[i])] == '=' || one[strlen(allowed[i])] == 0);
        if (!known || !holds_only(one, "=:.-"))
            return sr_failure(SR_FAILURE_PARAMS, "option %.64s cannot be set", one);
        if (!*one)
            continue;
        _cleanup_free_ char *before = *to;
        *to = xasprintf("%s,%s", before, one);
    }
    return NULL;
}

static struct error *nfs_options(const struct sr_spec *spec, struct sr_mount *m)
{
    static const char *const versions[] = {"3", "4", "4.0", "4.1", "4.2"};
    const char *version = get(spec, "nfsversion");
    const char *more = get(spec, "options");
    bool known = !version;

    for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
        known |= version && streq(version, versions[i]);
    if (!known)
        return sr_failure(SR_FAILURE_NFS_VERSION, "NFS version %.16s is not supported", version);
    m->options = version ? xasprintf(NFS_OPTIONS ",vers=%s", version) : xstrdup(NFS_OPTIONS);
    return more ? add_nfs_options(more, &m->options) : NULL;
}

static struct error *set_remote(struct sr_mount *m, char *source)
{
    m->source = source;
    struct error *e = check_remote(source, streq(m->fs, "nfs"));

    return e ? bad(m->failure, "no such place can be mounted", e) : NULL;
}

static struct error *parse_nfs(const struct sr_spec *spec, bool open, struct sr_mount *m)
{
    const char *server = get(spec, "server"), *path = get(spec, "serverpath");

    m->failure = SR_FAILURE_NFS_MOUNT;
    TRY(nfs_options(spec, m));
    if (!server)
        return sr_failure(SR_FAILURE_SERVER_MISSING, "The request is missing the server parameter");
    struct error *e = mount_check_server(server);
    if (e)
        return bad(SR_FAILURE_DNS, "The server cannot be found", e);
    if (!path && open)
        return NULL;
    if (!path)
        return sr_failure(SR_FAILURE_SERVERPATH_MISSING,
                          "The request is missing the serverpath parameter");
    bool bare_v6 = strchr(server, ':') && *server != '[';

    return set_remote(m, xasprintf(bare_v6 ? "[%s]:%s" : "%s:%s", server, path));
}

/* "DOMAIN\user", and a password or none. */
static struct error *smb_options(const struct sr_spec *spec, struct sr_mount *m)
{
    static const char *const versions[] = {"1.0", "2.0", "2.1", "3.0", "3.0.2", "3.1.1"};
    const char *user = get(spec, "username"), *version = get(spec, "vers");
    const char *password = get(spec, "password");
    bool known = !version;

    for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
        known |= version && streq(version, versions[i]);
    if (!known)
        return sr_failure(SR_FAILURE_ISO_SMB_VERSION, "SMB version %.16s is not supported",
                          version);
    if (user && (!holds_only(user, "._@$ \\/-") || strlen(user) > 256))
        return sr_failure(SR_FAILURE_PARAMS, "a user's name holds a character that is not allowed");
    const char *slash = user ? strpbrk(user, "\\/") : NULL;
    _cleanup_free_ char *domain = slash ? xmemdup0(user, (size_t)(slash - user)) : NULL;
    _cleanup_free_ char *who = !user   ? xstrdup("guest")
                               : slash ? xasprintf("username=%s,domain=%s", slash + 1, domain)
                                       : xasprintf("username=%s", user);

    m->options =
        xasprintf(SMB_OPTIONS "%s%s,%s", version ? ",vers=" : "", version ? version : "", who);
    if (!password)
        password = get(spec, "cifspassword");
    m->password = xstrdup(password && user ? password : "");
    return NULL;
}

static char *with_slashes(const char *s)
{
    char *path = xstrdup(s);

    for (char *p = path; *p; p++)
        *p = *p == '\\' ? '/' : *p;
    return path;
}

static struct error *parse_smb(const struct sr_spec *spec, struct sr_mount *m)
{
    const char *server = get(spec, "server");

    m->failure = SR_FAILURE_SMB_MOUNT;
    TRY(smb_options(spec, m));
    if (!server)
        return sr_failure(SR_FAILURE_SERVER_MISSING, "The request is missing the server parameter");
    return set_remote(m, with_slashes(server));
}

/* An ISO library: location is a path of this host, server:/path or //server/share. */
static struct error *parse_iso(const struct sr_spec *spec, struct sr_mount *m)
{
    const char *type = get(spec, "type"), *location = get(spec, "location");
    const char *below = get(spec, "iso_path");
    bool cifs = type && streq(type, "cifs"), nfs = type && streq(type, "nfs_iso");

    if (type && !cifs && !nfs)
        return sr_failure(SR_FAILURE_PARAMS, "type is cifs or nfs_iso, not %.32s", type);
    if (!location && type)
        return sr_failure(SR_FAILURE_ISO_LOCATION_MISSING,
                          "'Location' parameter must be specified in Device Configuration");
    if (!location || (get(spec, "legacy_mode") && *location == '/' && location[1] != '/'))
        return NULL;
    cifs |= str_starts(location, "//") || str_starts(location, "\\\\");
    nfs |= !cifs && *location != '/' && strstr(location, ":/");
    if (!cifs && !nfs)
        return NULL;
    if (below && climbs(below))
        return sr_failure(SR_FAILURE_ISO_LOCATION, "iso_path leads out of the share");
    m->fs = cifs ? "cifs" : "nfs";
    m->failure = SR_FAILURE_ISO_MOUNT;
    m->read_only = true;
    m->below = xstrdup(below ? below + strspn(below, "/") : "");
    TRY(cifs ? smb_options(spec, m) : nfs_options(spec, m));
    return set_remote(m, cifs ? with_slashes(location) : xstrdup(location));
}

static struct error *parse(const struct sr_type *t, const struct sr_spec *spec, bool open,
                           struct sr_mount *m)
{
    m->fs = t->fs;
    if (streq(t->type, "iso"))
        return parse_iso(spec, m);
    if (!t->fs)
        return NULL;
    m->below = xstrdup(spec->uuid ? spec->uuid : "");
    if (streq(t->fs, "nfs"))
        return parse_nfs(spec, open, m);
    return streq(t->fs, "cifs") ? parse_smb(spec, m) : parse_device(spec, open, m);
}

struct error *sr_mount_parse(const struct sr_spec *spec, bool open, struct sr_mount *ret)
{
    _cleanup_sr_mount_ struct sr_mount m = {0};
    const struct sr_type *t;

    TRY(sr_find_type(spec->type, &t));
    TRY(parse(t, spec, open, &m));
    if (!m.password)
        m.password = xstrdup("");
    *ret = m;
    m = (struct sr_mount){0};
    return NULL;
}
