/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test double of model/view.h. */
#include "fake_view.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void fake_add(struct view *v, enum class_id class_id, const void *rec)
{
    assert_true(v->n < FAKE_ROWS_MAX);
    v->rows[v->n++] = (struct fake_row){class_id, rec};
}

const void *view_find(const struct view *v, enum class_id class_id, const char *ref)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->rows[i].class_id == class_id && streq(*(const char *const *)v->rows[i].rec, ref))
            return v->rows[i].rec;
    return NULL;
}

const void *view_search(const struct view *v, enum class_id class_id,
                        bool (*match)(const void *rec, const void *key), const void *key)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->rows[i].class_id == class_id && (!match || match(v->rows[i].rec, key)))
            return v->rows[i].rec;
    return NULL;
}

void fake_assert_refusal(struct error *e, const char *code, const char *params, const char *file,
                         int line)
{
    _cleanup_error_ struct error *owned = e;
    _cleanup_str_ struct str joined = STR_INIT;

    if (!code || !e) {
        if (e)
            print_message("%s:%d: refused with %s\n", file, line, e->code);
        _assert_true(!e == !code, "refused as expected", file, line);
        return;
    }
    for (int i = 0; i < e->n_params; i++) {
        if (i)
            str_add_char(&joined, '|');
        str_add(&joined, e->params[i]);
    }
    _assert_string_equal(e->code, code, file, line);
    _assert_string_equal(str_cstr(&joined), params, file, line);
}

const char *fake_names(const struct set_enum *ops, const struct enum_info *names)
{
    static char text[2048];
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ops->n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
                                names->names[ops->v[i]]);
    return text;
}
