/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many callers at once on one SR: each thread works on a disk of its own (write, snapshot, clone,
 * revert, resize, destroy snapshots, reopen) while one more merges without pause. Each thread knows
 * what its disk must hold.
 */

#include "storage_rig.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORKERS 5
#define PLACES  4

struct worker {
    struct rig *r;
    unsigned seed;
    int rounds;
    pthread_t thread;
    struct uuid_text disk;
    unsigned char holds[PLACES];
    struct uuid_text snapshot; /* "" = none */
    unsigned char snapshot_holds[PLACES];
    char *failure;
};

static atomic_bool done;

static unsigned next(struct worker *w, unsigned n)
{
    w->seed = w->seed * 1103515245u + 12345u;
    return (w->seed >> 16) % n;
}

/* cmocka's checks may only fail in the main thread. */
static bool good(struct worker *w, struct error *e)
{
    if (!e)
        return true;
    if (!w->failure)
        w->failure = error_string(e);
    error_free(e);
    return false;
}

static void do_write(struct worker *w, bool snapshot_inside)
{
    struct disk d = disk_open(w->r, w->disk.s, true);
    unsigned place = next(w, PLACES);
    unsigned char byte = (unsigned char)(1 + next(w, 250));

    disk_fill(&d, place * MIB, byte);
    w->holds[place] = byte;
    if (snapshot_inside && !*w->snapshot.s) {
        struct uuid_text u = uuid_random();
        if (good(w, vdi_snapshot(w->r->storage, w->r->sr.s, w->disk.s, u.s, 0, NULL))) {
            w->snapshot = u;
            memcpy(w->snapshot_holds, w->holds, sizeof(w->holds));
        }
        disk_fill(&d, place * MIB, byte ^ 0xff);
        w->holds[place] = byte ^ 0xff;
    }
    disk_close(&d);
}

static void check_disk(struct worker *w, const char *vdi, const unsigned char holds[PLACES])
{
    struct disk d = disk_open(w->r, vdi, false);

    for (int i = 0; i < PLACES; i++) {
        unsigned char b = disk_byte(&d, i * MIB);
        if (b != holds[i] && !w->failure)
            w->failure = xasprintf("byte %d of %s is %d instead of %d", i, vdi, b, holds[i]);
    }
    disk_close(&d);
}

static void drop_snapshot(struct worker *w)
{
    if (*w->snapshot.s)
        good(w, vdi_destroy(w->r->storage, w->r->sr.s, w->snapshot.s));
    w->snapshot.s[0] = 0;
}

/* A clone takes the disk's place. */
static void do_clone(struct worker *w)
{
    struct uuid_text u = uuid_random();

    if (!good(w, vdi_clone(w->r->storage, w->r->sr.s, w->disk.s, u.s, NULL)))
        return;
    drop_snapshot(w);
    good(w, vdi_destroy(w->r->storage, w->r->sr.s, w->disk.s));
    w->disk = u;
}

static void do_revert(struct worker *w)
{
    if (!*w->snapshot.s ||
        !good(w, vdi_revert(w->r->storage, w->r->sr.s, w->disk.s, w->snapshot.s)))
        return;
    memcpy(w->holds, w->snapshot_holds, sizeof(w->holds));
}

static void *work(void *arg)
{
    struct worker *w = arg;
    int64_t size = 8 * MIB;

    for (int i = 0; i < w->rounds && !w->failure; i++) {
        switch (next(w, 7)) {
        case 0:
        case 1:
            do_write(w, false);
            break;
        case 2:
            do_write(w, true);
            break;
        case 3:
            do_clone(w);
            break;
        case 4:
            do_revert(w);
            break;
        case 5:
            drop_snapshot(w);
            break;
        default:
            good(w, vdi_resize(w->r->storage, w->r->sr.s, w->disk.s, size, &size));
            break;
        }
        check_disk(w, w->disk.s, w->holds);
        if (*w->snapshot.s)
            check_disk(w, w->snapshot.s, w->snapshot_holds);
    }
    return NULL;
}

static void *collect(void *arg)
{
    struct rig *r = arg;
    const struct sr_collect how = {0};
    long merges = 0;

    while (!atomic_load(&done)) {
        struct vdi_list_info l = {0};
        bool merged = false;
        struct error *e = sr_collect(r->storage, r->sr.s, &how, &merged);
        if (e)
            return e;
        merges += merged;
        e = sr_scan(r->storage, r->sr.s, &l);
        if (e)
            return e;
        if (!l.complete) {
            e = error_text("%s", l.problems);
            vdi_list_info_fini(&l);
            return e;
        }
        vdi_list_info_fini(&l);
    }
    print_message("%ld merges\n", merges);
    return NULL;
}

static void test_all_at_once(void **state)
{
    struct rig *r = *state;
    struct worker w[WORKERS] = {0};
    pthread_t collector;
    void *result = NULL;

    atomic_store(&done, false);
    for (unsigned i = 0; i < WORKERS; i++) {
        w[i] = (struct worker){.r = r,
                               .seed = i + 1,
                               .rounds = streq(r->type, "sim") ? 150 : 25,
                               .disk = rig_disk(r, 8 * MIB)};
        pthread_create(&w[i].thread, NULL, work, &w[i]);
    }
    pthread_create(&collector, NULL, collect, r);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(w[i].thread, NULL);
    atomic_store(&done, true);
    pthread_join(collector, &result);
    must(result);
    for (unsigned i = 0; i < WORKERS; i++) {
        if (w[i].failure)
            fail_msg("worker %u: %s", i, w[i].failure);
    }
    rig_restart(r);
    for (unsigned i = 0; i < WORKERS && streq(r->type, "file"); i++)
        check_disk(&w[i], w[i].disk.s, w[i].holds);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_all_at_once)};

    rig_type = "sim";
    int failed = cmocka_run_group_tests_name("sim", tests, NULL, NULL);
    rig_type = "file";
    return failed + cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
