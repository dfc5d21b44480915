/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/interest.h"

#include "base/arena.h"
#include "gen/errors.h"

static void add_all(struct interest *i)
{
    for (int c = 1; c < CLASS_MAX; c++)
        if (classes[c].emits_events)
            i->class_all[c] = true;
}

static struct error *add_text(struct arena *a, const char *text, struct interest *i)
{
    const char *slash = strchr(text, '/');
    const char *name = slash ? arena_memdup0(a, text, (size_t)(slash - text)) : text;
    enum class_id c = class_find_lower(name);

    if (streq(text, "*")) {
        add_all(i);
        return NULL;
    }
    if (c == CLASS_NONE || (slash && !slash[1]) || i->refs.n >= INTEREST_MAX_REFS)
        return err_event_subscription_parse_failure(text);
    if (!classes[c].emits_events)
        return NULL; /* known, but never heard of */
    if (!slash) {
        i->class_all[c] = true;
        return NULL;
    }
    i->class_some[c] = true;
    i->refs.v[i->refs.n++] = arena_strdup(a, slash + 1);
    return NULL;
}

struct error *interest_parse(struct arena *a, const struct set_string *texts, struct interest *ret)
{
    struct interest i = {0};

    i.refs.v = arena_array(a, const char *, MIN(texts->n, (size_t)INTEREST_MAX_REFS));
    for (size_t k = 0; k < texts->n; k++)
        TRY(add_text(a, texts->v[k], &i));
    interest_sort(&i);
    *ret = i;
    return NULL;
}
