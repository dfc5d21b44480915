/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/task_notes.h"

#include "base/utf8.h"
#include "gen/class/task_txn.h"

#define NOTE_HEADER "x-http-other-config-"
#define NOTE_KEY    "http:"

static const char *parent_of(const struct http_request *rq)
{
    static const char name[] = "subtask_of";
    const char *said = http_cookie_find(&rq->head, name);

    if (!said)
        said = http_header_find(&rq->head, name);
    if (!said)
        said = http_query_find(&rq->head, name);
    return said ? said : "";
}

static const char *clean_copy(struct txn *t, const char *prefix, const char *text)
{
    char *copy = arena_printf(txn_arena(t), "%s%s", prefix, text);

    utf8_clean(copy);
    return copy;
}

static bool has_key(const struct map_string_string *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->k[i], key))
            return true;
    return false;
}

/* The first of several with a key is it. */
static void add_notes(struct txn *t, struct task_rec *row, const struct http_head *h)
{
    const char **k = arena_array(txn_arena(t), const char *, h->n_headers);
    const char **v = arena_array(txn_arena(t), const char *, h->n_headers);
    struct map_string_string notes = {.k = k, .v = v};

    for (size_t i = 0; i < h->n_headers; i++) {
        const char *name = h->headers[i].name;

        if (strncasecmp(name, NOTE_HEADER, strlen(NOTE_HEADER)) != 0)
            continue;
        const char *key = clean_copy(t, NOTE_KEY, name + strlen(NOTE_HEADER));

        if (has_key(&notes, key))
            continue;
        k[notes.n] = key;
        v[notes.n++] = clean_copy(t, "", h->headers[i].value);
    }
    if (notes.n)
        row->other_config = notes;
}

void task_notes_add(struct txn *t, struct task_rec *row, const struct http_request *rq)
{
    const char *parent = parent_of(rq);

    if (txn_find_task(t, parent))
        row->subtask_of = arena_strdup(txn_arena(t), parent);
    add_notes(t, row, &rq->head);
}
