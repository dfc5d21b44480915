/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Short texts of clients: a token of event.from 't', dates 'd', numbers 'n', what a listener wants
 * 'i', disks of a template 'p', the answer of a plugin 'a'. What is taken is the same when it is
 * written and read once more.
 */
#include "api/host/plugin_text.h"
#include "event/interest.h"
#include "fuzz/fuzz.h"
#include "model/store.h"
#include "rules/provision.h"
#include "value/json.h"
#include "value/number.h"

#include <assert.h>

static void read_token(const char *text)
{
    char again[TOKEN_TEXT_MAX];
    struct token t, back;

    if (!token_parse(text, &t))
        return;
    token_print(&t, again);
    assert(token_parse(again, &back));
    assert(memcmp(&t, &back, sizeof(t)) == 0);
}

static void read_date(const char *text)
{
    _cleanup_str_ struct str again = STR_INIT;
    int64_t t, back;
    struct error *e = datetime_parse(text, &t);

    if (e) {
        error_free(e);
        return;
    }
    datetime_add(&again, t);
    e = datetime_parse(str_cstr(&again), &back);
    assert(!e && back == t);
}

static void read_number(const char *text)
{
    _cleanup_str_ struct str again = STR_INIT;
    int64_t i, i_back;
    double d, d_back;

    if (number_parse_int(text, &i)) {
        str_add_int(&again, i);
        assert(number_parse_int(again.s, &i_back) && i_back == i);
        str_clear(&again);
    }
    if (number_parse_float(text, &d)) {
        number_add_float_exact(&again, d);
        assert(number_parse_float(again.s, &d_back) && d_back == d);
    }
}

/* A word on each line. */
static void read_interest(struct arena *a, char *text)
{
    struct set_string texts = {.v = arena_array(a, const char *, strlen(text) + 1)};
    struct interest interest;
    const char **v = (const char **)(uintptr_t)texts.v;
    char *word;

    while ((word = strsep(&text, "\n")))
        v[texts.n++] = word;
    error_free(interest_parse(a, &texts, &interest));
}

static void read_disks(struct arena *a, const char *text)
{
    struct provision_disk *disks;
    size_t n = 0;
    struct error *e = provision_parse(text, a, &disks, &n);

    for (size_t i = 0; !e && i < n; i++)
        assert(disks[i].size > 0 && disks[i].device && disks[i].sr);
    assert(e || n <= PROVISION_MAX_DISKS);
    error_free(e);
}

static void read_answer(const char *text)
{
    json_t *value = NULL;
    struct error *e = plugin_answer(text, &value);

    assert(!e == !!value);
    json_decref(value);
    error_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};

    if (!size)
        return 0;
    char *text = arena_memdup0(&a, (const char *)data + 1, size - 1);

    switch (data[0]) {
    case 't':
        read_token(text);
        break;
    case 'd':
        read_date(text);
        break;
    case 'n':
        read_number(text);
        break;
    case 'i':
        read_interest(&a, text);
        break;
    case 'p':
        read_disks(&a, text);
        break;
    case 'a':
        read_answer(text);
        break;
    default:
        break;
    }
    return 0;
}
