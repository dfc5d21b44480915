/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/figures.h"

#include "gen/errors.h"

void figures_add(struct arena *a, struct set_data_source_rec *s, const char *name,
                 const char *description, const char *units, double max, double value)
{
    struct data_source_rec *v = arena_array(a, struct data_source_rec, s->n + 1);

    for (size_t i = 0; i < s->n; i++)
        v[i] = s->v[i];
    v[s->n] = (struct data_source_rec){.name_label = name,
                                       .name_description = description,
                                       .enabled = true,
                                       .standard = true,
                                       .units = units,
                                       .min = 0,
                                       .max = max,
                                       .value = value};
    *s = (struct set_data_source_rec){.n = s->n + 1, .v = v};
}

struct error *figures_find(const struct set_data_source_rec *s, const char *name, double *ret)
{
    for (size_t i = 0; i < s->n; i++) {
        if (!streq(s->v[i].name_label, name))
            continue;
        if (ret)
            *ret = s->v[i].value;
        return NULL;
    }
    return err_invalid_value("data_source", name);
}
