/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "contract/db_script.h"

#include "contract/db_bed.h"

#include <inttypes.h>

static void script_json(uint64_t g, char *out, size_t size)
{
    snprintf(out, size, "%0*" PRIu64, (int)(g * 31 % 500) + 1, g);
}

struct db_commit script_next(struct script *s)
{
    uint64_t g = ++s->generation;
    size_t i = g % N_OBJECTS;
    bool deleted = s->row_gen[i] && g % 5 == 0;

    snprintf(s->refs[i], sizeof(s->refs[i]), "r%zu", i);
    script_json(g, s->json[0], sizeof(s->json[0]));
    snprintf(s->json[1], sizeof(s->json[1]), "%" PRIu64, g);
    if (!s->row_gen[i])
        s->created[i] = g;
    s->rows[0] = put(s->refs[i], s->row_gen[i], s->created[i], deleted ? NULL : s->json[0]);
    s->rows[1] = put("last", g - 1, 1, s->json[1]);
    s->row_gen[i] = deleted ? 0 : g;
    return commit_of(g, s->rows, 2);
}

char *script_rows(uint64_t generation)
{
    struct script s = {0};
    struct VEC(char *) lines = {0};
    struct str text = STR_INIT;

    while (s.generation < generation)
        script_next(&s);
    for (size_t i = 0; i < N_OBJECTS; i++) {
        char json[600];

        script_json(s.row_gen[i], json, sizeof(json));
        if (s.row_gen[i])
            vec_add(&lines, xasprintf("VM r%zu %" PRIu64 " %" PRIu64 " %s", i, s.row_gen[i],
                                      s.created[i], json));
    }
    if (generation)
        vec_add(&lines, xasprintf("VM last %" PRIu64 " 1 %" PRIu64, generation, generation));
    if (lines.n)
        qsort(lines.v, lines.n, sizeof(*lines.v), by_text);
    vec_foreach (line, &lines) {
        str_printf(&text, "\n%s", *line);
        free(*line);
    }
    vec_fini(&lines);
    return str_take(&text);
}

void assert_script(struct db *db, uint64_t at_least, uint64_t at_most)
{
    _cleanup_free_ char *text = dump_text(db);
    uint64_t generation = strtoull(text + strlen("at "), NULL, 10);
    _cleanup_free_ char *expected = script_rows(generation);
    char *tombstones = strstr(text, "\n~");

    if (tombstones)
        *tombstones = 0;
    assert_in_range(generation, at_least, at_most);
    assert_string_equal(strchrnul(text, '\n'), expected);
}
