/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repairs. Each keeps what it changes, and none runs before somebody agreed. */
#include "verify/verify.h"

#include "base/io.h"
#include "base/str.h"

#include <errno.h>
#include <libgen.h>
#include <sys/stat.h>

struct error *repair_mode(struct verify *v, const char *path)
{
    if (chmod(path, 0600) < 0)
        return error_errno(errno, "cannot change the mode of %s", path);
    return NULL;
}

/* Into a directory of hostd's state directory. */
static struct error *set_aside(struct verify *v, const char *path)
{
    const char *dir = host_path(v, "set-aside-%s", v->stamp);
    _cleanup_free_ char *copy = xstrdup(path);
    const char *to = arena_printf(&v->arena, "%s/%s", dir, basename(copy));

    TRY(io_mkdir_p(dir, 0700));
    if (rename(path, to) < 0)
        return error_errno(errno, "cannot move %s to %s", path, to);
    printf("moved %s to %s\n", path, to);
    return io_fsync_dir(dir);
}

void offer_set_aside(const struct verify *v, struct finding *f, const char *path)
{
    if (!v->hostd_runs)
        offer(f, set_aside, path, "move %s into a directory of its own", path);
}

/* Rows of classes that only a newer version knows stay. */
static bool is_readable(void *ctx, const char *class_name, const char *ref)
{
    struct verify *v = ctx;
    enum class_id class_id = class_find(class_name);
    _cleanup_version_ struct version *row =
        class_id == CLASS_NONE ? NULL : store_find(v->store, class_id, ref);

    return row || class_id == CLASS_NONE;
}

struct error *repair_store(struct verify *v, const char *path)
{
    const struct db_keep keep = {.ctx = v, .row = is_readable};
    const char *store = state_path(v, "%s", path);
    _cleanup_free_ char *kept = NULL;

    TRY(db_rebuild(store, &keep, &kept));
    printf("wrote what could be read into a new %s; what it was is kept as %s\n", store, kept);
    return NULL;
}

static struct error *run(struct verify *v, const struct repair *r)
{
    struct error *e = r->run(v, r->subject);

    return e ? error_prepend(e, "could not %s", r->what) : NULL;
}

/* A typed "yes", nothing less, and only of somebody who sits there. */
static bool agrees(const char *what)
{
    char line[16] = "";

    if (!isatty(STDIN_FILENO))
        return false;
    printf("Shall I %s? Type yes: ", what);
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) && streq(line, "yes\n");
}

struct error *repair_all(struct verify *v, bool yes, bool *ret_done)
{
    *ret_done = false;
    vec_foreach (f, &v->found) {
        if (!f->repair.run)
            continue;
        printf("%s %s: would %s\n", f->code, f->object, f->repair.what);
        if (!yes && !agrees(f->repair.what))
            continue;
        TRY(run(v, &f->repair));
        *ret_done = true;
    }
    return NULL;
}
