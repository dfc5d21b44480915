/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records beside images, one a line ('n' image, 'v' VDI first): whatever they say, the tree has no
 * loops, can be walked, and what it writes can be read again. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "storage/tree.h"

#include <assert.h>

static void load_lines(struct tree *t, const char *text, size_t len)
{
    while (len) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;

        tree_load(t, "record", text, n);
        n += end != NULL;
        text += n;
        len -= n;
    }
    tree_link(t);
}

static void check_nodes(const struct tree *t, struct tree *again)
{
    size_t pos = 0;
    const char *key;
    struct node *n;

    while ((n = strmap_next(&t->nodes, &pos, &key))) {
        _cleanup_free_ char *text = node_record(n);
        unsigned depth = 0;

        for (const struct node *p = n; p; p = p->parent)
            assert(++depth <= t->nodes.n);
        assert(node_depth(n) == depth);
        tree_load(again, "written", text, strlen(text));
    }
}

static void check_vdis(const struct tree *t, struct tree *again)
{
    size_t pos = 0;
    const char *key;
    struct vdi *v;

    while ((v = strmap_next(&t->vdis, &pos, &key))) {
        _cleanup_free_ char *text = vdi_record(v);

        assert(v->node);
        tree_load(again, "written", text, strlen(text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vdi_list unfinished = {0};
    struct tree t, again;

    tree_init(&t);
    tree_init(&again);
    load_lines(&t, (const char *)data, size);
    check_nodes(&t, &again);
    check_vdis(&t, &again);
    tree_link(&again);
    assert(again.nodes.n == t.nodes.n && again.vdis.n == t.vdis.n);
    tree_unfinished(&t, &unfinished);
    vec_fini(&unfinished);
    if (t.complete)
        (void)tree_find_garbage(&t);
    tree_fini(&t);
    tree_fini(&again);
    return 0;
}
