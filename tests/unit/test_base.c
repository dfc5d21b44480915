/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arena, strings, maps, errors, files and child programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bounded_file.h"
#include "base/error.h"
#include "base/io.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/spawn.h"
#include "base/str.h"
#include "base/uuid.h"
#include "base/workers.h"
#include "base/world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

static void count_hook(void *p)
{
    (*(int *)p)++;
}

static void arena_keeps_values_and_runs_hooks(void **state)
{
    struct arena a;
    int ended = 0;
    char *kept[1000];

    arena_init(&a);
    arena_on_end(&a, count_hook, &ended);
    for (int i = 0; i < 1000; i++)
        kept[i] = arena_printf(&a, "value %d", i);
    assert_string_equal(kept[0], "value 0");
    assert_string_equal(kept[999], "value 999");
    char *big = arena_zalloc(&a, 3u << 20);

    assert_int_equal(big[(3u << 20) - 1], 0);
    assert_int_equal((uintptr_t)big % 16, 0);
    arena_fini(&a);
    assert_int_equal(ended, 1);
}

static void arena_goes_back_to_a_mark(void **state)
{
    struct arena a;
    int before = 0, after = 0;

    arena_init(&a);
    const char *kept = arena_strdup(&a, "kept");
    arena_on_end(&a, count_hook, &before);
    for (int i = 0; i < 3; i++) {
        struct arena_mark m = arena_mark(&a);

        for (int k = 0; k < 1000; k++)
            assert_non_null(arena_printf(&a, "%0*d", 1 + k, k));
        arena_on_end(&a, count_hook, &after);
        arena_rewind(&a, &m);
        assert_int_equal(after, i + 1);
        assert_int_equal(a.used, m.used);
        assert_ptr_equal(a.block, m.block);
    }
    assert_string_equal(kept, "kept");
    assert_int_equal(before, 0);
    arena_fini(&a);
    assert_int_equal(before, 1);
    assert_int_equal(after, 3);
}

static void str_grows_and_prints(void **state)
{
    _cleanup_str_ struct str b = STR_INIT;

    assert_string_equal(str_cstr(&b), "");
    for (int i = 0; i < 100; i++)
        str_printf(&b, "%d,", i);
    str_add_int(&b, INT64_MIN);
    assert_non_null(strstr(b.s, "98,99,-9223372036854775808"));
    assert_int_equal(strlen(b.s), b.len);
}

static void map_finds_what_was_set(void **state)
{
    struct strmap m = {0};
    char keys[2000][16];
    int values[2000];

    for (int i = 0; i < 2000; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key %d", i);
        assert_null(strmap_set(&m, keys[i], &values[i]));
    }
    for (int i = 0; i < 2000; i += 2)
        assert_ptr_equal(strmap_remove(&m, keys[i]), &values[i]);
    for (int i = 0; i < 2000; i++)
        assert_ptr_equal(strmap_find(&m, keys[i]), i % 2 ? &values[i] : NULL);
    assert_int_equal(m.n, 1000);
    size_t seen = 0, pos = 0;

    while (strmap_next(&m, &pos, NULL))
        seen++;
    assert_int_equal(seen, 1000);
    strmap_fini(&m);
}

static void list_can_lose_the_current_node(void **state)
{
    struct node {
        struct list l;
        int n;
    } nodes[5], *it;
    struct list head;
    int sum = 0;

    list_init(&head);
    for (int i = 0; i < 5; i++) {
        nodes[i].n = i;
        list_append(&head, &nodes[i].l);
    }
    list_foreach (it, &head, l) {
        sum += it->n;
        list_remove(&it->l);
    }
    assert_int_equal(sum, 10);
    assert_true(list_empty(&head));
}

static void errors_carry_code_and_context(void **state)
{
    struct error *e = error_api("VM_BAD_POWER_STATE", 2, "ref", "halted");

    e = error_prepend(e, "starting");
    assert_true(error_is(e, "VM_BAD_POWER_STATE"));
    _cleanup_free_ char *text = error_string(e);

    assert_string_equal(text, "VM_BAD_POWER_STATE [ref, halted]: starting");
    error_free(e);
    e = error_to_api(error_errno(ENOENT, "cannot open %s", "x"));
    assert_string_equal(e->code, "INTERNAL_ERROR");
    assert_string_equal(e->params[0], "cannot open x: No such file or directory");
    error_free(e);
}

static void names_of_files_are_plain(void **state)
{
    _cleanup_free_ char *longest = xasprintf("%0128d", 0);
    _cleanup_free_ char *too_long = xasprintf("%0129d", 0);

    assert_true(io_is_file_name("a-Name_0.pem"));
    assert_true(io_is_file_name(longest));
    assert_false(io_is_file_name(too_long));
    assert_false(io_is_file_name(""));
    assert_false(io_is_file_name("."));
    assert_false(io_is_file_name(".hidden"));
    assert_false(io_is_file_name("a/b"));
    assert_false(io_is_file_name("a b"));
}

static void files_are_replaced_whole(void **state)
{
    char dir[] = "/tmp/xenolith-test-XXXXXX";
    _cleanup_str_ struct str text = STR_INIT;

    assert_non_null(mkdtemp(dir));
    _cleanup_free_ char *deep = xasprintf("%s/a/b/c", dir);
    _cleanup_free_ char *path = xasprintf("%s/file", deep);

    assert_null(io_mkdir_p(deep, 0700));
    assert_null(io_mkdir_p(deep, 0700));
    assert_null(io_write_file(path, "one", 3, 0600));
    assert_null(io_write_file(path, "second", 6, 0600));
    assert_null(io_read_file(path, 100, &text));
    assert_string_equal(text.s, "second");
    struct error *e = io_read_file(path, 3, &text);

    assert_int_equal(e->errnum, EFBIG);
    error_free(e);
    _cleanup_spawn_ struct spawn rm;

    spawn_init(&rm, "rm");
    spawn_add(&rm, "-rf");
    spawn_add(&rm, dir);
    assert_null(spawn_run(&rm, 10 * SECOND_US, 0, NULL));
}

static void a_bounded_file_takes_so_much_and_no_more(void **state)
{
    char dir[] = "/tmp/xenolith-bound-XXXXXX";
    _cleanup_str_ struct str text = STR_INIT;
    char block[4096];
    size_t taken = 0;
    ssize_t n;

    assert_non_null(mkdtemp(dir));
    _cleanup_free_ char *path = xasprintf("%s/log", dir);

    memset(block, 'x', sizeof(block));
    assert_null(bounded_file_make(path));
    _cleanup_close_ int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);

    assert_null(bounded_file_tail(path, 100, &text));
    assert_int_equal(text.len, 0);
    assert_int_equal(write(fd, "first", 5), 5);
    assert_null(bounded_file_make(path)); /* changes nothing */
    assert_null(bounded_file_tail(path, 100, &text));
    assert_string_equal(str_cstr(&text), "first");
    while ((n = write(fd, block, sizeof(block))) > 0 && taken <= 2 * BOUNDED_FILE_ROOM)
        taken += (size_t)n;
    assert_int_equal(n, -1);
    assert_int_equal(errno, EFBIG);
    assert_in_range(taken, BOUNDED_FILE_ROOM / 2, BOUNDED_FILE_ROOM);
    assert_true(bounded_file_cut(fd));
    assert_int_equal(write(fd, "again", 5), 5);
    str_clear(&text);
    assert_null(bounded_file_tail(path, 3, &text));
    assert_string_equal(str_cstr(&text), "ain");
    unlink(path);
    rmdir(dir);
}

static void *let_go(void *arg)
{
    poll(NULL, 0, 100);
    close(*(int *)arg);
    return NULL;
}

static void a_lock_about_to_be_free_is_waited_for(void **state)
{
    char path[] = "/tmp/xenolith-lock-XXXXXX";
    int first = mkostemp(path, O_CLOEXEC);
    _cleanup_close_ int second = open(path, O_RDWR | O_CLOEXEC);
    pthread_t thread;

    unlink(path);
    assert_null(io_lock(first));
    _cleanup_error_ struct error *e = io_lock(second);

    assert_int_equal(e->errnum, EWOULDBLOCK);
    pthread_create(&thread, NULL, let_go, &first);
    assert_null(io_lock(second));
    pthread_join(thread, NULL);
}

static void children_answer_fail_and_time_out(void **state)
{
    _cleanup_str_ struct str out = STR_INIT;
    struct spawn s;

    spawn_init(&s, "echo");
    spawn_add(&s, "one two");
    assert_null(spawn_run(&s, 10 * SECOND_US, 100, &out));
    assert_string_equal(out.s, "one two\n");
    spawn_fini(&s);

    spawn_init(&s, "ls");
    spawn_add(&s, "/does/not/exist");
    struct error *e = spawn_run(&s, 10 * SECOND_US, 100, NULL);

    assert_non_null(e);
    assert_non_null(strstr(e->detail, "/does/not/exist"));
    error_free(e);
    spawn_fini(&s);

    spawn_init(&s, "sleep");
    spawn_add(&s, "100");
    e = spawn_run(&s, 50000, 0, NULL);
    assert_int_equal(e->errnum, ETIMEDOUT);
    error_free(e);
    spawn_fini(&s);

    spawn_init(&s, "no-such-program-here");
    e = spawn_run(&s, SECOND_US, 0, NULL);
    assert_int_equal(e->errnum, ENOENT);
    error_free(e);
    spawn_fini(&s);
    assert_true(process_start_time(getpid()) > 0);
    assert_int_equal(process_start_time(0x3fffffff), 0);
}

static void uuids_are_checked(void **state)
{
    struct uuid_text u = uuid_random();
    struct ref_text r = ref_random();

    assert_true(uuid_is_valid(u.s));
    assert_int_equal(u.s[14], '4');
    assert_true(uuid_is_valid(r.s + strlen(REF_PREFIX)));
    assert_false(uuid_is_valid("not-a-uuid"));
    assert_false(uuid_is_valid("00000000-0000-0000-0000-00000000000g"));
    assert_false(uuid_is_valid("00000000-0000-0000-0000-0000000000000"));
    assert_true(uuid_is_with("00000000-0000-0000-0000-00000000000a.json", ".json"));
    assert_false(uuid_is_with("00000000-0000-0000-0000-00000000000a.vdi.json", ".json"));
    assert_false(uuid_is_with("00000000-0000-0000-0000-00000000000g.json", ".json"));
    assert_false(uuid_is_with(".json", ".json"));
}

/* What is quoted in a log line can neither end it nor fill the disk. */
static void log_lines_hold_what_is_quoted(void **state)
{
    _cleanup_free_ char *text = xmalloc(100001);
    char line[8192];
    int ends[2], saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

    memset(text, 'x', 100000);
    text[100000] = 0;
    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
    dup2(ends[1], STDERR_FILENO);
    log_warning("user %s", "a\nb\r\t\x1b[2J\x7f\xc2\x9b"
                           "caf\xc3\xa9");
    log_warning("%s", text);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);

    close(ends[0]);
    assert_in_range(n, 4096, 4400);
    line[n] = 0;
    assert_non_null(strstr(line, "user a b\\x0d\\x09\\x1b[2J\\x7f\\u009bcaf\xc3\xa9\n"));
    assert_string_equal(line + n - 9, "xxxx ...\n");
}

/* ---- workers ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void pass_gate(void *arg)
{
    pthread_mutex_lock(&gate);
    ++*(int *)arg;
    pthread_mutex_unlock(&gate);
}

/* However fast they come: what threads are still to take does not count as waiting. */
static void a_pool_takes_as_much_as_it_says(void **state)
{
    struct workers *w;
    int done = 0;

    for (int round = 0; round < 20; round++) {
        assert_null(workers_new("test", 6, 2, &w));
        pthread_mutex_lock(&gate);
        for (int i = 0; i < 8; i++)
            assert_true(workers_run(w, pass_gate, &done));
        assert_false(workers_run(w, pass_gate, &done));
        pthread_mutex_unlock(&gate);
        assert_true(workers_settle(w, 10000000));
        assert_true(workers_run(w, pass_gate, &done));
        workers_free(w);
    }
    assert_int_equal(done, 20 * 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_keeps_values_and_runs_hooks),
        cmocka_unit_test(arena_goes_back_to_a_mark),
        cmocka_unit_test(str_grows_and_prints),
        cmocka_unit_test(map_finds_what_was_set),
        cmocka_unit_test(list_can_lose_the_current_node),
        cmocka_unit_test(errors_carry_code_and_context),
        cmocka_unit_test(names_of_files_are_plain),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(a_bounded_file_takes_so_much_and_no_more),
        cmocka_unit_test(a_lock_about_to_be_free_is_waited_for),
        cmocka_unit_test(children_answer_fail_and_time_out),
        cmocka_unit_test(uuids_are_checked),
        cmocka_unit_test(log_lines_hold_what_is_quoted),
        cmocka_unit_test(a_pool_takes_as_much_as_it_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
