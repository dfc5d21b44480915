/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "contract/db_bed.h"

#include "base/spawn.h"
#include "base/world.h"

#include <inttypes.h>

static char dir[] = "/tmp/xenolith-test-db-XXXXXX";
static unsigned n_files;

char *new_path(void)
{
    return xasprintf("%s/%u.db", dir, n_files++);
}

void assert_ok(struct error *e)
{
    if (!e)
        return;
    _cleanup_free_ char *text = error_string(e);

    error_free(e);
    fail_msg("%s", text);
}

void assert_error(struct error *e, const char *part)
{
    assert_non_null(e);
    _cleanup_free_ char *text = error_string(e);

    error_free(e);
    if (!strstr(text, part))
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

int make_dir(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

int remove_dir(void **state)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "rm");
    spawn_add(&s, "-r");
    spawn_add(&s, dir);
    assert_ok(spawn_run(&s, 60 * SECOND_US, 0, NULL));
    return 0;
}

const char *test_dir(void)
{
    return dir;
}

/* ---- what a load reports, as text ---- */

struct error *dump_row(void *ctx, const char *class_name, const char *ref, uint64_t generation,
                       uint64_t created, const char *json, size_t json_len)
{
    struct dump *d = ctx;

    assert_int_equal(strlen(json), json_len);
    vec_add(&d->lines, xasprintf("%s %s %" PRIu64 " %" PRIu64 " %s", class_name, ref, generation,
                                 created, json));
    return NULL;
}

struct error *dump_tombstone(void *ctx, const char *class_name, const char *ref,
                             uint64_t generation, uint64_t created)
{
    struct dump *d = ctx;

    vec_add(&d->lines,
            xasprintf("~%s %s %" PRIu64 " %" PRIu64, class_name, ref, generation, created));
    return NULL;
}

int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *dump_text(struct db *db)
{
    struct dump d = {0};
    const struct db_loader l = {.ctx = &d, .row = dump_row, .tombstone = dump_tombstone};
    struct str text = STR_INIT;

    assert_ok(db_load(db, &l, &d.generation));
    if (d.lines.n)
        qsort(d.lines.v, d.lines.n, sizeof(*d.lines.v), by_text);
    str_printf(&text, "at %" PRIu64, d.generation);
    vec_foreach (line, &d.lines) {
        str_printf(&text, "\n%s", *line);
        free(*line);
    }
    vec_fini(&d.lines);
    return str_take(&text);
}

/* ---- shorthand for commits ---- */

struct db_row put(const char *ref, uint64_t expect, uint64_t created, const char *json)
{
    return (struct db_row){.class_name = "VM",
                           .ref = ref,
                           .expect = expect,
                           .created = created,
                           .json = json,
                           .json_len = json ? strlen(json) : 0};
}

struct db_row gone(const char *ref, uint64_t expect, uint64_t created)
{
    return put(ref, expect, created, NULL);
}

struct db_commit commit_of(uint64_t generation, const struct db_row *rows, size_t n)
{
    return (struct db_commit){.generation = generation,
                              .time_us = (int64_t)generation * 1000,
                              .who = "root",
                              .task = "",
                              .call = "VM.test",
                              .rows = rows,
                              .n_rows = n};
}

struct error *try_row(struct db *db, uint64_t generation, struct db_row row)
{
    struct db_commit c = commit_of(generation, &row, 1);

    return db_commit(db, &c, 1);
}

void commit_row(struct db *db, uint64_t generation, struct db_row row)
{
    assert_ok(try_row(db, generation, row));
}
