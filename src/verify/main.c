/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenolith-verify: looks, tells, and repairs what it is told to. */
#include "verify/verify.h"

#include "base/io.h"
#include "base/log.h"
#include "base/world.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/file.h>

enum { NOTHING_WRONG, FINDINGS, COULD_NOT_CHECK };

#define XAPI_LOCK  "run/xenolithd.lock"
#define HOSTD_LOCK "run/hostd.lock"

/* How often what was found beside running daemons is looked at again. */
#define PASSES 3

static const char help[] =
    "usage: xenolith-verify [--state DIR] [options]\n"
    "\n"
    "Compares the store of a host with its repositories and its running guests, and says in words\n"
    "what does not fit. Nothing is changed without --repair.\n"
    "\n"
    "  --state DIR  where the state lies, as given to the daemons; default $XENOLITH_STATE, or "
    "./var\n"
    "  --hostd-state DIR  that of xenolith-hostd, if it has one of its own\n"
    "  --live       leave out what daemons that run may have under way, also if none runs now\n"
    "  --json       print one JSON object\n"
    "  --quiet      print warnings and errors only\n"
    "  --repair     say what can be repaired and how, and ask for each; the daemons must be "
    "stopped\n"
    "  --yes        with --repair: do it without asking\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 nothing is wrong, 1 something is (warnings, errors), 2 it could not be "
    "checked.\n";

struct options {
    const char *state, *hostd_state;
    bool live, json, quiet, repair, yes;
};

static struct error *parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"state", required_argument, NULL, 's'}, {"hostd-state", required_argument, NULL, 'o'},
        {"live", no_argument, NULL, 'l'},        {"json", no_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},       {"repair", no_argument, NULL, 'r'},
        {"yes", no_argument, NULL, 'y'},         {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},     {NULL, 0, NULL, 0},
    };
    const char *state = getenv("XENOLITH_STATE");
    int c;

    *o = (struct options){.state = state ? state : "var"};
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 's':
            o->state = optarg;
            break;
        case 'o':
            o->hostd_state = optarg;
            break;
        case 'l':
            o->live = true;
            break;
        case 'j':
            o->json = true;
            break;
        case 'q':
            o->quiet = true;
            break;
        case 'r':
            o->repair = true;
            break;
        case 'y':
            o->yes = true;
            break;
        case 'h':
            fputs(help, stdout);
            exit(NOTHING_WRONG);
        case 'v':
            puts("xenolith-verify " XENOLITH_VERSION);
            exit(NOTHING_WRONG);
        default:
            return error_text("try --help");
        }
    }
    if (optind < argc)
        return error_text("'%s' is no option; try --help", argv[optind]);
    if (o->yes && !o->repair)
        return error_text("--yes goes with --repair; try --help");
    return NULL;
}

/* ---- the state directory ---- */

static const char *below(struct verify *v, const char *dir, const char *fmt, va_list ap)
    _printf_(3, 0);

static const char *below(struct verify *v, const char *dir, const char *fmt, va_list ap)
{
    _cleanup_free_ char *name = xvasprintf(fmt, ap);

    return arena_printf(&v->arena, "%s/%s", dir, name);
}

const char *state_path(struct verify *v, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const char *path = below(v, v->state_dir, fmt, ap);

    va_end(ap);
    return path;
}

const char *host_path(struct verify *v, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const char *path = below(v, v->host_dir, fmt, ap);

    va_end(ap);
    return path;
}

/* A daemon holds its lock as long as it lives. ret_fd: held by us from now on, or -1. */
static bool runs(const char *lock, int *ret_fd)
{
    int fd = open(lock, O_RDONLY | O_CLOEXEC);
    bool taken = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;

    if (ret_fd && !taken)
        *ret_fd = fd;
    else
        cleanup_close(&fd);
    return taken;
}

static struct error *make_copy_dir(struct verify *v)
{
    const char *tmp = getenv("TMPDIR");

    v->copy_dir = xasprintf("%s/xenolith-verify-XXXXXX", tmp ? tmp : "/tmp");
    if (mkdtemp(v->copy_dir))
        return NULL;
    struct error *e = error_errno(errno, "cannot make %s", v->copy_dir);

    free(TAKE_PTR(v->copy_dir));
    return e;
}

static void empty_copy_dir(const struct verify *v)
{
    _cleanup_closedir_ DIR *dir = v->copy_dir ? opendir(v->copy_dir) : NULL;
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
}

static struct error *begin(struct verify *v, const struct options *o)
{
    *v = (struct verify){0};
    arena_init(&v->arena);
    v->state_dir = realpath(o->state, NULL);
    if (!v->state_dir)
        return error_errno(errno, "cannot find the state directory %s", o->state);
    v->host_dir = realpath(o->hostd_state ? o->hostd_state : o->state, NULL);
    if (!v->host_dir)
        return error_errno(errno, "cannot find the state directory %s", o->hostd_state);
    v->run_dir = realpath(host_path(v, "run"), NULL);
    if (!v->run_dir)
        v->run_dir = xstrdup(host_path(v, "run")); /* hostd never ran */
    v->xapi_runs = runs(state_path(v, XAPI_LOCK), NULL) || o->live;
    v->hostd_runs = runs(host_path(v, HOSTD_LOCK), NULL) || o->live;
    v->stamp = now_for_names();
    return make_copy_dir(v);
}

static void forget_pass(struct verify *v)
{
    store_close(v->store);
    v->store = NULL;
    strmap_fini(&v->planned);
    memset(v->checked, 0, sizeof(v->checked));
    empty_copy_dir(v);
}

static void end(struct verify *v)
{
    forget_pass(v);
    if (v->copy_dir)
        rmdir(v->copy_dir);
    findings_fini(&v->found);
    free(v->copy_dir);
    free(v->stamp);
    free(v->state_dir);
    free(v->host_dir);
    free(v->run_dir);
    arena_fini(&v->arena);
}

/* ---- checking ---- */

static struct error *check_once(struct verify *v)
{
    forget_pass(v);
    TRY(check_store(v));
    check_rows(v);
    check_domains(v);
    check_storage(v);
    check_files(v);
    return NULL;
}

/* Beside running daemons a finding may be a moment in which one world was ahead of the other. */
static struct error *check(struct verify *v)
{
    TRY(check_once(v));
    for (int i = 1; i < PASSES && (v->xapi_runs || v->hostd_runs) && v->found.n; i++) {
        struct findings before = v->found;

        v->found = (struct findings){0};
        struct error *e = check_once(v);

        findings_confirm(&v->found, &before);
        findings_fini(&before);
        TRY(e);
    }
    return NULL;
}

/* Holds both locks, so that no daemon starts meanwhile. */
static struct error *repair(struct verify *v, const struct options *o)
{
    _cleanup_close_ int xapi = -1, hostd = -1;
    bool done;

    if (runs(state_path(v, XAPI_LOCK), &xapi) || runs(host_path(v, HOSTD_LOCK), &hostd))
        return error_text("stop xenolithd and xenolith-hostd before a repair; guests go on");
    TRY(repair_all(v, o->yes, &done));
    if (!done)
        return NULL;
    findings_fini(&v->found);
    return check(v);
}

static struct error *work(struct verify *v, const struct options *o)
{
    TRY(begin(v, o));
    TRY(check(v));
    if (o->repair)
        TRY(repair(v, o));
    if (o->json)
        report_json(v);
    else
        report_text(v, o->quiet);
    return NULL;
}

int main(int argc, char **argv)
{
    struct verify v = {0};
    struct options o;

    log_init("xenolith-verify");
    struct error *e = parse(argc, argv, &o);

    if (!e)
        e = work(&v, &o);
    int code = e ? COULD_NOT_CHECK : findings_count(&v.found, WARNING) ? FINDINGS : NOTHING_WRONG;

    log_and_free(LOG_ERROR, e, "cannot check");
    end(&v);
    return code;
}
