/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/suggest.h"

#include "base/mem.h"
#include "cli/help.h"

#define WORD_MAX 64

void nearest_init(struct nearest *n, const char *typed)
{
    *n = (struct nearest){.typed = typed};
}

void nearest_fini(struct nearest *n)
{
    free(n->word);
}

/* Letters that are wrong, missing, too many, or have changed places. */
static int distance(const char *a, const char *b)
{
    int rows[3][WORD_MAX + 1];
    int na = (int)strlen(a), nb = (int)strlen(b);

    if (na > WORD_MAX || nb > WORD_MAX)
        return WORD_MAX;
    for (int j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (int i = 1; i <= na; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int same = above[j - 1] + (a[i - 1] != b[j - 1]);

            row[j] = MIN(same, MIN(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = MIN(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

void nearest_try(struct nearest *n, const char *word)
{
    int d = distance(n->typed, word), most = (int)strlen(n->typed) / 3;

    if (d > MIN(most, 3) || (n->word && d >= n->distance))
        return;
    free(n->word);
    n->word = xstrdup(word);
    n->distance = d;
}

static void try_command(void *ctx, const char *name)
{
    nearest_try(ctx, name);
}

struct error *suggest_command(struct xe *x, const char *typed)
{
    _cleanup_(nearest_fini) struct nearest n = {0};

    nearest_init(&n, typed);
    if (x->client.front->is_person)
        help_each_name(try_command, &n);
    if (n.word)
        front_tell(x->client.front, "Did you mean '%s'?\n", n.word);
    return fail_usage("Unknown command", typed);
}

/* Is it one of the list, or a key of a map among them? */
static bool is_among(const char *const *list, const struct word *w)
{
    for (; *list; list++) {
        size_t n = strlen(*list);
        _cleanup_free_ char *bare =
            xmemdup0(*list, n && ((*list)[n - 1] == ':' || (*list)[n - 1] == '-') ? n - 1 : n);

        if (streq(bare, w->key) || (strlen(bare) < n && word_map_key(w, bare)))
            return true;
    }
    return false;
}

void suggest_parameters(struct xe *x)
{
    static const char *const everywhere[] = {"json", "progress", "params", "database:", NULL};
    const struct xe_command *c = x->command;
    struct front *f = x->client.front;

    if (!f->is_person || (c->flags & (XE_SELECT_VM | XE_SELECT_HOST | XE_SELECT_SR)))
        return; /* there any field may stand */
    vec_foreach (w, &x->words) {
        const char *const *lists[] = {c->required, c->optional};
        _cleanup_(nearest_fini) struct nearest n = {0};

        if (word_is_standard(w->key) || is_among(everywhere, w) || is_among(c->required, w) ||
            is_among(c->optional, w))
            continue;
        nearest_init(&n, w->key);
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
            for (const char *const *p = lists[i]; *p; p++)
                nearest_try(&n, *p);
        front_tell(f, "%s does not know the parameter '%s' and ignores it.", c->name, w->key);
        if (n.word)
            front_tell(f, " Did you mean '%s'?", n.word);
        front_tell(f, "\n");
    }
}
