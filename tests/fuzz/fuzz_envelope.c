/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Request bodies, XML or JSON by the first byte: whatever comes, the answer is well formed. */
#include "base/str.h"
#include "fuzz/fuzz.h"
#include "value/xml.h"
#include "wire/envelope.h"

#include <assert.h>

static void check_answer(enum rpc_format format, const struct rpc_answer *answer)
{
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_json_ json_t *j = NULL;

    for (size_t i = 0; i < answer->n; i++)
        str_add_mem(&text, answer->pieces[i].iov_base, answer->pieces[i].iov_len);
    _cleanup_error_ struct error *e = format == RPC_XML ? xml_parse_response(text.s, text.len, &j)
                                                        : json_parse(text.s, text.len, &j);

    assert(!e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    struct rpc_request r;
    struct rpc_answer answer;

    if (!size)
        return 0;
    bool json = data[0] == 'j';
    _cleanup_error_ struct error *e = rpc_parse(&a, json, (const char *)data + 1, size - 1, &r);

    if (e) {
        rpc_failure(&a, &r, e, &answer);
        check_answer(r.format, &answer);
    } else {
        const char *value = json ? "[]" : "<value/>";
        const struct iovec v = {.iov_base = (void *)(uintptr_t)value, .iov_len = strlen(value)};
        _cleanup_error_ struct error *unknown = error_api("MESSAGE_METHOD_UNKNOWN", 1, r.method);

        assert(*r.method && json_is_array(r.params));
        rpc_success(&a, &r, &v, 1, &answer);
        check_answer(r.format, &answer);
        rpc_failure(&a, &r, unknown, &answer);
        check_answer(r.format, &answer);
    }
    rpc_request_fini(&r);
    return 0;
}
