/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of names in filters, and of words in a configuration, before a server hears of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ldap/filter.h"
#include "ldap/settings.h"
#include "value/json.h"

static void check_text(char *got, const char *want)
{
    assert_string_equal(got, want);
    free(got);
}

static void test_names_mean_nothing(void **state)
{
    check_text(filter_escape("anna7"), "anna7");
    check_text(filter_escape(""), "");
    check_text(filter_escape("*)(\\"), "\\2a\\29\\28\\5c");
    check_text(filter_escape("\x01 \x7f\xc3\xa9"), "\\01\\20\\7f\\c3\\a9");
    check_text(filter_for_name("(uid=%s)", "a)(b=*"), "(uid=a\\29\\28b\\3d\\2a)");
    check_text(filter_for_name("(|(uid=%s)(mail=%s))", "%s"), "(|(uid=\\25s)(mail=\\25s))");
    check_text(filter_for_anyone("(|(uid=%s)(mail=%s))"), "(|(uid=*)(mail=*))");
    check_text(filter_and("(cn=x)", "member", "cn=a,dc=b"), "(&(cn=x)(member=cn\\3da\\2cdc\\3db))");
}

/* The key that an error names; NULL = it was taken. The caller frees. */
static char *read_config(const char *text, struct settings *ret)
{
    json_t *j = NULL;
    char *said = NULL;

    assert_null(json_parse(text, strlen(text), &j));
    struct error *e = settings_read(j, ret);

    if (e) {
        assert_true(error_is(e, "AUTH_ENABLE_FAILED") || error_is(e, "NO_TRUSTED_CERTS"));
        said = xmemdup0(e->params[0], strcspn(e->params[0], " "));
    }
    error_free(e);
    json_decref(j);
    return said;
}

static void check_security(const char *uri, const char *more, bool tls, bool start_tls)
{
    _cleanup_free_ char *text =
        xasprintf("{\"uri\": \"%s\", \"base\": \"dc=x\", \"ca\": \"pem\"%s}", uri, more);
    struct settings s;

    assert_null(read_config(text, &s));
    assert_int_equal(s.tls, tls);
    assert_int_equal(s.start_tls, start_tls);
}

/* In the clear goes nothing but what stays in the machine, or what somebody asked for. */
static void test_security(void **state)
{
    static const char *const here[] = {"ldap://localhost", "ldap://127.0.0.1:3890", "ldap://[::1]",
                                       "ldapi://%2Frun%2Fldapi"};
    static const char *const away[] = {"ldap://ldap.example.org", "ldap://10.0.0.1",
                                       "ldap://localhost.example.org", "ldap://[::2]:389"};

    for (size_t i = 0; i < ARRAY_SIZE(here); i++)
        check_security(here[i], "", false, false);
    check_security(here[1], ", \"insecure\": \"false\"", false, true);
    for (size_t i = 0; i < ARRAY_SIZE(away); i++) {
        check_security(away[i], "", false, true);
        check_security(away[i], ", \"insecure\": \"false\"", false, true);
        check_security(away[i], ", \"insecure\": \"TRUE\"", false, false);
    }
    check_security("ldaps://127.0.0.1", "", true, false);
    check_security("ldaps://ldap.example.org:6360", ", \"insecure\": \"false\"", true, false);
}

/* 127.evil.example.org is no address of this machine. */
static void test_names_that_look_like_addresses(void **state)
{
    check_security("ldap://127.example.org", "", false, true);
    check_security("ldap://127.0.0.1.example.org", "", false, true);
}

static void test_wrong_keys(void **state)
{
    static const char *const cases[][2] = {
        {"{}", "uri"},
        {"{\"uri\": \"\"}", "uri"},
        {"{\"uri\": 7}", "uri"},
        {"{\"uri\": \"ftp://a\", \"base\": \"dc=x\"}", "uri"},
        {"{\"uri\": \"LDAP://a\", \"base\": \"dc=x\"}", "uri"},
        {"{\"uri\": \"ldap:///\", \"base\": \"dc=x\"}", "uri"},
        {"{\"uri\": \"ldapi:///\", \"base\": \"dc=x\"}", "uri"},
        {"{\"uri\": \"ldap://a/dc=y\", \"base\": \"dc=x\"}", "uri"},
        {"{\"uri\": \"ldap://a/??sub?(uid=x)\", \"base\": \"dc=x\"}", "uri"},
        {"{\"uri\": \"ldap://a\", \"base\": \"dc=x\"}", "ca"},
        {"{\"uri\": \"ldaps://127.0.0.1\", \"base\": \"dc=x\"}", "ca"},
        {"{\"uri\": \"ldap://[::1]\"}", "base"},
        {"{\"uri\": \"ldap://[::1]\", \"base\": \"x\"}", "base"},
        {"{\"uri\": \"ldap://[::1]\", \"base\": \"dc=x\", \"bind_dn\": \"cn=a\"}", "bind_password"},
        {"{\"uri\": \"ldap://[::1]\", \"base\": \"dc=x\", \"bind_password\": \"a\"}", "bind_dn"},
        {"{\"uri\": \"ldap://[::1]\", \"base\": \"dc=x\", \"user_filter\": \"(a=%)\"}",
         "user_filter"},
        {"{\"uri\": \"ldap://[::1]\", \"base\": \"dc=x\", \"member\": \"a b\"}", "member"},
    };
    struct settings s;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *key = read_config(cases[i][0], &s);

        assert_non_null(key);
        assert_string_equal(key, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_mean_nothing),
        cmocka_unit_test(test_security),
        cmocka_unit_test(test_names_that_look_like_addresses),
        cmocka_unit_test(test_wrong_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
