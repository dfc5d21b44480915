/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client's layout, parsing and tables, without a server. */
#include "cli/command.h"
#include "cli/field.h"
#include "cli/field_source.h"
#include "cli/filter.h"
#include "cli/help.h"
#include "cli/lists.h"
#include "cli/options.h"
#include "cli/skim.h"
#include "cli/transfer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Layout. */

static void add_pair(struct printer *p, const char *first, const char *second)
{
    _cleanup_(record_fini) struct record r = {0};

    record_add(&r, "uuid ( RO)", first);
    record_add(&r, "name-label ( RW)", second);
    print_record(p, &r);
}

static void test_records(void **state)
{
    _cleanup_(printer_fini) struct printer p = {0};

    print_table(&p);
    add_pair(&p, "1", "web");
    add_pair(&p, "2", "");
    print_table_end(&p);
    print_end(&p);
    /* Four more than the longest key; the first key to the left, the others to the right. */
    assert_string_equal(p.out.s, "uuid ( RO)          : 1\n    name-label ( RW): web\n\n\n"
                                 "uuid ( RO)          : 2\n    name-label ( RW): \n\n\n");
}

static void test_minimal_records(void **state)
{
    _cleanup_(printer_fini) struct printer p = {.minimal = true};

    print_table(&p);
    add_pair(&p, "a,b", "web");
    add_pair(&p, "c\\d", "db");
    print_table_end(&p);
    print_sentence(&p, "Not shown");
    print_end(&p);
    assert_string_equal(p.out.s, "a\\,b,c\\\\d\n");
}

static void test_minimal_order(void **state)
{
    static const char *const lines[] = {"x", "y"};
    _cleanup_(printer_fini) struct printer p = {.minimal = true};

    print_table(&p);
    add_pair(&p, "1", "");
    print_table_end(&p);
    print_lines(&p, lines, 2);
    print_table(&p);
    print_table_end(&p);
    print_end(&p);
    /* Later groups come first; a table without records is none. */
    assert_string_equal(p.out.s, "x,y,1\n");
}

static void test_minimal_nothing(void **state)
{
    _cleanup_(printer_fini) struct printer p = {.minimal = true};

    print_table(&p);
    print_table_end(&p);
    print_end(&p);
    assert_string_equal(p.out.s, "\n");
}

/* Words. */

static void parse(struct words *w, size_t n, ...)
{
    char *args[8];
    va_list ap;

    va_start(ap, n);
    for (size_t i = 0; i < n; i++)
        args[i] = va_arg(ap, char *);
    va_end(ap);
    assert_null(words_parse(w, args, n));
}

static void test_words(void **state)
{
    _cleanup_(words_fini) struct words w = {0};
    bool on;
    int64_t n;

    parse(&w, 6, "name=a=b", "--force", "-u", "root", "memory=2GiB", "bare");
    assert_string_equal(words_find(&w, "name"), "a=b");
    assert_string_equal(words_find(&w, "username"), "root");
    assert_string_equal(words_find(&w, "bare"), "");
    assert_null(words_find(&w, "nothing"));
    assert_null(words_bool(&w, "force", false, &on));
    assert_true(on);
    assert_null(words_size(&w, "memory", &n));
    assert_int_equal(n, 2ll << 30);
}

static void test_unknown_switch(void **state)
{
    _cleanup_(words_fini) struct words w = {0};
    char *args[] = {(char[]){"-z"}, (char[]){"value"}};
    _cleanup_error_ struct error *e = words_parse(&w, args, 2);
    _cleanup_str_ struct str text = STR_INIT;

    assert_non_null(e);
    failure_text(NULL, e, &text);
    assert_string_equal(text.s, "Syntax error: \nFor usage run: 'xe help'");
}

static void check_size(const char *text, int64_t expected)
{
    int64_t n = -1;
    struct error *e = size_parse("size", text, &n);

    assert_int_equal(!e, expected >= 0);
    if (e)
        error_free(e);
    else
        assert_int_equal(n, expected);
}

static void test_sizes(void **state)
{
    check_size("0", 0);
    check_size("1024", 1024);
    check_size("10 MiB", 10 << 20);
    check_size("1k", 1024);
    check_size("3TIB", 3ll << 40);
    check_size("5b", 5);
    check_size("", -1);
    check_size("ten", -1);
    check_size("1EiB", -1);
    check_size("9999999999TiB", -1);
}

static void test_map_keys(void **state)
{
    const struct word colon = {(char[]){"device-config:location"}, NULL};
    const struct word dash = {(char[]){"device-config-location"}, NULL};
    const struct word bare = {(char[]){"device-config"}, NULL};

    assert_string_equal(word_map_key(&colon, "device-config"), "location");
    assert_string_equal(word_map_key(&dash, "device-config"), "location");
    assert_null(word_map_key(&bare, "device-config"));
    assert_null(word_map_key(&colon, "config"));
}

/* Options. */

static void read_options(struct options *o, enum options_wish *wish, int argc, ...)
{
    char *argv[10];
    va_list ap;

    va_start(ap, argc);
    for (int i = 0; i < argc; i++)
        argv[i] = va_arg(ap, char *);
    va_end(ap);
    assert_null(options_read(argc, argv, o, wish));
}

static void test_options(void **state)
{
    _cleanup_(options_fini) struct options o = {0};
    enum options_wish wish;

    setenv("HOME", "/nonexistent", 1);
    setenv("XE_EXTRA_ARGS", "port=81,username=admin,extra=a\\,b", 1);
    read_options(&o, &wish, 8, "xe", "-s", "far", "vm-list", "params=all", "password=x", "--nossl",
                 "username=root");
    unsetenv("XE_EXTRA_ARGS");
    assert_int_equal(wish, OPTIONS_RUN);
    assert_string_equal(o.server, "far");
    assert_int_equal(o.port, 81);
    assert_string_equal(o.user, "root");
    assert_string_equal(o.password, "x");
    assert_false(o.tls);
    assert_int_equal(o.args.n, 3);
    assert_string_equal(o.args.v[0], "vm-list");
    assert_string_equal(o.args.v[1], "params=all");
    assert_string_equal(o.args.v[2], "extra=a,b");
}

static void test_loopback_is_local(void **state)
{
    _cleanup_(options_fini) struct options o = {0};
    enum options_wish wish;

    setenv("XENOLITH_STATE", "/state", 1);
    read_options(&o, &wish, 4, "xe", "-s", "127.0.0.1", "vm-list");
    unsetenv("XENOLITH_STATE");
    assert_null(o.server);
    assert_string_equal(o.socket, "/state/run/xapi");
}

/* Skimming. */

static void skim_one(const char *json, const char *member, const char *expected)
{
    _cleanup_str_ struct str text = STR_INIT;
    struct slice key, value;
    struct skim s;

    assert_true(skim_enter((struct slice){json, strlen(json)}, &s));
    while (skim_key(&s, &key) && skim_value(&s, &value))
        if (slice_is(key, member))
            slice_text(value, &text);
    assert_string_equal(str_cstr(&text), expected);
}

static void test_skim(void **state)
{
    skim_one("{\"a\":1,\"b\":\"x\"}", "b", "x");
    skim_one(" { \"a\" : [1,{\"b\":\"no\"},\"]}\"] , \"b\" : true }", "b", "true");
    skim_one("{\"a\":\"\\\"}\",\"b\":\"say \\\"hi\\\" \\u00e9\"}", "b", "say \"hi\" \u00e9");
    skim_one("{\"a\":\"\\\\\",\"b\":-1.5e3}", "b", "-1.5e3");
    skim_one("{}", "b", "");
}

/* Whatever is cut off, nothing behind the end is looked at (the sanitizer sees). */
static void test_skim_cut(void **state)
{
    static const char json[] = "{\"a\":[1,{\"b\":\"\\\"c\"}],\"d\":\"e\\\\\",\"f\":null}";

    for (size_t n = 0; n < sizeof(json); n++) {
        _cleanup_free_ char *copy = xmalloc(n + 1);
        struct slice key, value;
        struct skim s;

        memcpy(copy, json, n);
        if (!skim_enter((struct slice){copy, n}, &s))
            continue;
        while (skim_key(&s, &key) && skim_value(&s, &value))
            assert_true(value.p >= copy && value.p + value.n <= copy + n);
        if (n < sizeof(json) - 1)
            assert_true(s.bad);
    }
}

/* Values. */

static void check_text(const char *type, const char *json, const char *expected)
{
    _cleanup_(members_fini) struct members m = {0};
    _cleanup_str_ struct str text = STR_INIT;
    struct store s;

    store_init(&s, NULL);
    assert_null(value_members(&s, type, (struct slice){json, strlen(json)}, &m));
    vec_foreach (x, &m)
        str_printf(&text, "%s%s%s%s", x == m.v ? "" : "; ", x->key ? x->key : "",
                   x->key ? ": " : "", x->text);
    assert_string_equal(str_cstr(&text), expected);
    store_fini(&s);
}

static void test_values(void **state)
{
    check_text("enum:vm_power_state", "\"Running\"", "running");
    check_text("enum:vdi_type", "\"ha_statefile\"", "HA statefile");
    check_text("enum:cls", "\"VM\"", "VM");
    check_text("enum:tristate_type", "\"yes\"", "true");
    check_text("set:enum:storage_operations", "[\"scan\",\"vdi_create\"]", "scan; VDI.create");
    check_text("set:string", "[]", "");
    check_text("map:string:string", "{\"a\":\"1\",\"b\":\"\"}", "a: 1; b: ");
    check_text("map:string:enum:vm_operations", "{\"OpaqueRef:1\":\"clean_shutdown\"}",
               "clean_shutdown");
    check_text("map:enum:vm_operations:string", "{\"destroy\":\"true\"}", "destroy: true");
    check_text("map:int:float", "{\"0\":0.25}", "0: 0.250");
    check_text("float", "0.5", "0.500");
    check_text("bool", "false", "false");
    check_text("datetime", "\"19700101T00:00:00Z\"", "19700101T00:00:00Z");
    assert_string_equal(enum_from_text("on_crash_behaviour", "core dump and destroy"),
                        "coredump_and_destroy");
    assert_string_equal(enum_from_text("vbd_mode", "RO"), "RO");
}

static void test_labels(void **state)
{
    const struct xe_class *vm = xe_class_find("vm");
    _cleanup_str_ struct str text = STR_INIT;

    field_label(xe_field_find(vm, "uuid"), &text);
    field_label(xe_field_find(vm, "tags"), &text);
    field_label(xe_field_find(vm, "platform"), &text);
    field_label(xe_field_find(vm, "bios-strings"), &text);
    field_label(xe_field_find(vm, "ha-always-run"), &text);
    assert_string_equal(text.s, "uuid ( RO)tags (SRW)platform (MRW)bios-strings (MRO)"
                                "ha-always-run ( RW) [DEPRECATED]");
}

static void test_columns(void **state)
{
    const struct xe_class *vm = xe_class_find("vm");
    struct columns c = {0};

    columns_choose(vm, "power-state,nothing,uuid,NVRAM", &c);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.v[0]->name, "uuid");
    assert_string_equal(c.v[1]->name, "power-state");
    vec_fini(&c);
    columns_choose(vm, NULL, &c);
    assert_int_equal(c.n, 3);
    vec_fini(&c);
    columns_choose(xe_class_find("secret"), NULL, &c);
    assert_int_equal(c.n, 2);
    vec_fini(&c);
}

/* Filters. */

static void check_filter(const char *name, enum filter_kind kind, const char *field,
                         const char *key, enum filter_problem problem)
{
    struct filter f;

    filter_resolve(xe_class_find("vm"), name, &f);
    assert_int_equal(f.problem, problem);
    if (problem == FILTER_UNKNOWN_FIELD)
        return;
    assert_int_equal(f.kind, kind);
    assert_string_equal(f.field->name, field);
    if (key)
        assert_string_equal(f.key, key);
}

static void test_filters(void **state)
{
    check_filter("power-state", FILTER_PLAIN, "power-state", NULL, FILTER_GOOD);
    check_filter("other-config:key", FILTER_MAP, "other-config", "key", FILTER_GOOD);
    check_filter("other-config-key", FILTER_MAP, "other-config", "key", FILTER_GOOD);
    check_filter("tags:contains", FILTER_SET, "tags", "contains", FILTER_GOOD);
    check_filter("tags:has", FILTER_SET, "tags", "has", FILTER_BAD_SET);
    check_filter("uuid:x", FILTER_MAP, "uuid", "x", FILTER_NO_MEMBERS);
    check_filter("nothing", FILTER_PLAIN, NULL, NULL, FILTER_UNKNOWN_FIELD);
}

static void test_filter_words(void **state)
{
    static const char *const own[] = {"on", "device-config:", NULL};
    const char *const *const except[] = {own};
    _cleanup_(words_fini) struct words w = {0};
    struct filters fs = {0};

    parse(&w, 6, "on=host", "device-config:a=1", "--force", "uuid=1", "server=x", "name-label=y");
    filters_take(&fs, xe_class_find("vm"), &w, except, 1);
    assert_int_equal(fs.n, 2);
    assert_string_equal(fs.v[0].name, "uuid");
    assert_string_equal(fs.v[1].name, "name-label");
    vec_fini(&fs);
}

/* Commands. */

static void test_commands_known(void **state)
{
    for (int i = 0; i < xe_commands_n; i++) {
        const struct xe_command *c = &xe_commands[i];

        if (!c->call && !command_find(c->name))
            fail_msg("%s does nothing", c->name);
        if (c->call && command_find(c->name))
            fail_msg("%s is a call and has code", c->name);
        assert_ptr_equal(xe_command_find(c->name), c);
    }
}

static void test_class_commands(void **state)
{
    const struct xe_verb *verb = NULL;

    assert_string_equal(class_of_command("host-cpu-list", &verb)->name, "host-cpu");
    assert_string_equal(verb->name, "list");
    assert_string_equal(class_of_command("vm-param-get", &verb)->name, "vm");
    assert_string_equal(verb->name, "param-get");
    assert_null(class_of_command("crashdump-list", &verb));
    assert_null(class_of_command("vm-start", &verb));
    assert_null(class_of_command("nothing-list", &verb));
    assert_null(class_of_command("role-param-set", &verb)); /* no column can be set */
}

static void help_of(const char *topic, bool minimal, struct str *ret)
{
    struct xe x = {.printer.minimal = minimal};

    words_add(&x.words, topic, "true");
    assert_null(help_run(&x));
    print_end(&x.printer);
    str_add(ret, str_cstr(&x.printer.out));
    printer_fini(&x.printer);
    words_fini(&x.words);
}

static void test_help(void **state)
{
    _cleanup_str_ struct str text = STR_INIT, names = STR_INIT, unknown = STR_INIT;

    help_of("vbd-unplug", false, &text);
    assert_true(str_starts(text.s, "command name            : vbd-unplug\n"
                                   "        reqd params     : uuid\n"
                                   "        optional params : timeout, force\n"
                                   "        description     : "));
    assert_string_equal(text.s + text.len - 3, "\n\n\n");
    help_of("all", true, &names);
    assert_non_null(strstr(names.s, ",vm-list,"));
    assert_non_null(strstr(names.s, ",vm-param-add,"));
    assert_null(strstr(names.s, "vlan-param-set"));
    assert_null(strstr(names.s, ",crashdump-list,"));
    help_of("nothing", false, &unknown);
    assert_string_equal(unknown.s, "Unknown command 'nothing'\n");
}

static void test_help_wraps(void **state)
{
    _cleanup_str_ struct str text = STR_INIT;
    bool in_list = false;

    help_of("all", false, &text);
    for (char *line = text.s, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        in_list = in_list || strncmp(line, "-----", 5) == 0;
        if (in_list && str_starts(line, "    "))
            assert_true(end - line <= 74 + 40);
    }
    assert_true(in_list);
    assert_non_null(strstr(text.s, "\n    host-all-editions, "));
}

/* Failures. */

static void check_failure(struct error *e, const char *expected)
{
    _cleanup_str_ struct str text = STR_INIT;

    failure_text(NULL, e, &text);
    error_free(e);
    assert_string_equal(text.s, expected);
}

static void test_failures(void **state)
{
    _cleanup_str_ struct str known = STR_INIT;
    struct error *e = error_api("VM_BAD_POWER_STATE", 4, "vm1", "halted", "running", "more");

    failure_text(NULL, e, &known);
    error_free(e);
    assert_non_null(strstr(known.s, "\nvm: vm1\nexpected: halted\nactual: running\n<extra>: more"));
    str_clear(&known);
    e = error_api("VM_BAD_POWER_STATE", 1, "vm1");
    failure_text(NULL, e, &known);
    error_free(e);
    assert_non_null(strstr(known.s, "\nvm: vm1\nexpected: <unknown>\nactual: <unknown>"));
    check_failure(error_api("NO_SUCH_CODE", 2, "a", "b"),
                  "Error code: NO_SUCH_CODE\nError parameters: a, b");
    check_failure(error_text("No matching VMs found"), "Error: No matching VMs found");
    check_failure(fail_usage("Unknown command", "x"),
                  "Unknown command: x\nFor usage run: 'xe help'");
    check_failure(error_api("SESSION_AUTHENTICATION_FAILED", 2, "root", "why"),
                  "Authentication failed\nFor usage run: 'xe help'");
    check_failure(error_api("SESSION_AUTHENTICATION_FAILED", 2, "", "why"),
                  "Username/password must be specified\nFor usage run: 'xe help'");
}

static void test_query(void **state)
{
    _cleanup_str_ struct str query = STR_INIT;

    query_add(&query, "ref", "OpaqueRef:1-2");
    query_add(&query, "since", "2024-01-01 & more");
    assert_string_equal(query.s, "&ref=OpaqueRef:1-2&since=2024-01-01%20%26%20more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),        cmocka_unit_test(test_minimal_records),
        cmocka_unit_test(test_minimal_order),  cmocka_unit_test(test_minimal_nothing),
        cmocka_unit_test(test_words),          cmocka_unit_test(test_unknown_switch),
        cmocka_unit_test(test_sizes),          cmocka_unit_test(test_map_keys),
        cmocka_unit_test(test_options),        cmocka_unit_test(test_loopback_is_local),
        cmocka_unit_test(test_skim),           cmocka_unit_test(test_skim_cut),
        cmocka_unit_test(test_values),         cmocka_unit_test(test_labels),
        cmocka_unit_test(test_columns),        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_filter_words),   cmocka_unit_test(test_commands_known),
        cmocka_unit_test(test_class_commands), cmocka_unit_test(test_help),
        cmocka_unit_test(test_help_wraps),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
