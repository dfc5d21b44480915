/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at SRs from outside. */

#include "storage/sr_look.h"

#include "storage/sr_internal.h"
#include "storage/sr_mount.h"

static void note_stray(void *arg, const char *name, bool half_made)
{
    struct sr_look *l = arg;

    vec_add(&l->strays, (struct sr_stray){.name = xstrdup(name), .half_made = half_made});
}

static void look_at_images(const struct sr_driver *d, struct place *p, struct sr_look *l)
{
    size_t pos = 0;
    const struct node *n;

    while ((n = strmap_next(&l->tree.nodes, &pos, NULL))) {
        struct image_stat st = {0};

        IGNORE_ERROR(d->image_stat(p, n, &st));
        vec_add(&l->images,
                (struct sr_image_look){.node = n,
                                       .sound = st.sound,
                                       .size = st.size,
                                       .is_grown = st.size > n->size && n->n_children == 0});
    }
}

static struct error *look_inside(const struct sr_driver *d, struct place *p, struct sr_look *l)
{
    l->is_flat = d->flags & SR_FLAT;
    if (l->is_flat) {
        TRY(d->refresh(p, &l->tree));
    } else {
        TRY(d->records(p, &l->tree));
        tree_link(&l->tree);
        tree_unfinished(&l->tree, &l->unfinished);
    }
    look_at_images(d, p, l);
    return d->strays ? d->strays(p, &l->tree, l, note_stray) : NULL;
}

struct error *sr_look(const struct storage_config *c, const struct sr_spec *spec,
                      struct sr_look *ret)
{
    _cleanup_place_config_ struct place_config config = {0};
    const struct sr_type *t;
    struct sr_look l = {0};
    struct place *p;

    TRY(sr_find_type(spec->type, &t));
    TRY(sr_place_config(c, spec, true, &config));
    TRY(t->driver->attach(&config, &p));
    tree_init(&l.tree);
    struct error *e = look_inside(t->driver, p, &l);

    t->driver->detach(p);
    if (e) {
        sr_look_fini(&l);
        return e;
    }
    *ret = l;
    return NULL;
}

void sr_look_fini(struct sr_look *l)
{
    vec_foreach (s, &l->strays)
        free(s->name);
    vec_fini(&l->strays);
    vec_fini(&l->images);
    vec_fini(&l->unfinished);
    tree_fini(&l->tree);
}
