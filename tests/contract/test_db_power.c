/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A power cut at any write, truncation or flush: whatever part of the unflushed writes the disk
 * kept, an answered commit is there, a commit is there whole or not at all, and the file opens.
 */
#include "contract/db_bed.h"
#include "contract/db_script.h"
#include "lib/lossy_vfs.h"

struct cut {
    char *path;
    char *copy;
    uint64_t answered; /* generation of the last commit that returned */
    uint64_t under_way;
    uint64_t seed;
    unsigned images;
    unsigned in_checkpoint; /* of them */
    unsigned events[2];     /* of the log, of the database file */
};

static void check_image(struct cut *c, enum lossy_loss loss)
{
    struct db *db;

    lossy_crash_image(c->path, c->copy, loss, &c->seed);
    lossy_suspend(true);
    assert_ok(db_sqlite_open(c->copy, &db));
    assert_script(db, c->answered, c->under_way);
    db_close(db);
    lossy_suspend(false);
    c->images++;
}

/* Often while the database file itself is written (a checkpoint), else now and then. */
static void maybe_cut(void *ctx, bool main_file)
{
    struct cut *c = ctx;
    unsigned every = main_file ? 5 : 101;

    if (c->events[main_file]++ % every)
        return;
    check_image(c, (enum lossy_loss)(c->images % 3));
    c->in_checkpoint += main_file;
}

static void run_script(struct cut *c, unsigned batches)
{
    struct script scripts[3] = {0};
    struct script at = {0};
    struct db *db;

    assert_ok(db_sqlite_open(c->path, &db));
    for (unsigned b = 0; b < batches; b++) {
        struct db_commit commits[3];
        size_t n = b % 3 + 1;

        for (size_t i = 0; i < n; i++) {
            scripts[i] = i ? scripts[i - 1] : at;
            commits[i] = script_next(&scripts[i]);
        }
        at = scripts[n - 1];
        c->under_way = at.generation;
        assert_ok(db_commit(db, commits, n));
        c->answered = at.generation;
        if (b % 50 == 0)
            check_image(c, LOSE_ALL); /* right after the answer */
        assert_ok(db_maintain(db));
    }
    db_close(db);
    check_image(c, LOSE_ALL);
}

static void answered_commits_survive_a_power_cut(void **state)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct cut c = {.path = new_path(), .copy = new_path(), .seed = seed};

        lossy_install(maybe_cut, &c);
        run_script(&c, 900);
        lossy_remove();
        assert_in_range(c.images, 40, 10000);
        assert_in_range(c.in_checkpoint, 10, 10000);
        free(c.path);
        free(c.copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answered_commits_survive_a_power_cut),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
