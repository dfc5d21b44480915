/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filter expressions: an accepted one has a truth value, and its negation the other. */
#include "fuzz/fuzz.h"
#include "lib/sample.h"
#include "model/filter.h"

#include <assert.h>

static const struct filter *parse(struct arena *a, const char *text)
{
    const struct filter *f = NULL;
    _cleanup_error_ struct error *e = filter_parse(a, text, &sample_info, &f);

    assert(!e == !!f);
    return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    const char *text = arena_memdup0(&a, (const char *)data, size);
    const struct filter *f = parse(&a, text);
    const struct filter *opposite = parse(&a, arena_printf(&a, "not (%s)", text));

    if (!f)
        return 0;
    bool truth = filter_match(f, &sample_info, &sample_full, sample_full.self);

    /* It may be too long or too deep for the limits by now. */
    if (opposite)
        assert(filter_match(opposite, &sample_info, &sample_full, sample_full.self) != truth);
    return 0;
}
