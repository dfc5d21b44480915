/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which addresses a card may use, and which VLANs it carries: rows that the host's network driver
 * applies when the card is plugged. */
#include "api/common/lists.h"
#include "api/vif/vif.h"
#include "gen/msg/VIF.h"
#include "rpc/call.h"

#include <sys/socket.h>

struct error *api_vif_set_locking_mode(struct call *c, const struct vif_set_locking_mode_args *a)
{
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    vif->locking_mode = a->value;
    return NULL;
}

static void remove_string(struct arena *a, struct set_string *s, const char *value)
{
    const char **v = arena_array(a, const char *, s->n);
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        if (!streq(s->v[i], value))
            v[n++] = s->v[i];
    *s = (struct set_string){n, v};
}

struct error *api_vif_set_ipv4_allowed(struct call *c, const struct vif_set_ipv4_allowed_args *a)
{
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    TRY(vif_check_addresses(&a->value, AF_INET, "ipv4_allowed"));
    vif->ipv4_allowed = a->value;
    return NULL;
}

struct error *api_vif_add_ipv4_allowed(struct call *c, const struct vif_add_ipv4_allowed_args *a)
{
    const struct set_string one = {1, &a->value};
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    TRY(vif_check_addresses(&one, AF_INET, "ipv4_allowed"));
    set_add(c->arena, &vif->ipv4_allowed, a->value);
    return NULL;
}

struct error *api_vif_remove_ipv4_allowed(struct call *c,
                                          const struct vif_remove_ipv4_allowed_args *a)
{
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    remove_string(c->arena, &vif->ipv4_allowed, a->value);
    return NULL;
}

struct error *api_vif_set_ipv6_allowed(struct call *c, const struct vif_set_ipv6_allowed_args *a)
{
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    TRY(vif_check_addresses(&a->value, AF_INET6, "ipv6_allowed"));
    vif->ipv6_allowed = a->value;
    return NULL;
}

struct error *api_vif_add_ipv6_allowed(struct call *c, const struct vif_add_ipv6_allowed_args *a)
{
    const struct set_string one = {1, &a->value};
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    TRY(vif_check_addresses(&one, AF_INET6, "ipv6_allowed"));
    set_add(c->arena, &vif->ipv6_allowed, a->value);
    return NULL;
}

struct error *api_vif_remove_ipv6_allowed(struct call *c,
                                          const struct vif_remove_ipv6_allowed_args *a)
{
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    remove_string(c->arena, &vif->ipv6_allowed, a->value);
    return NULL;
}

static bool has_trunk(const struct set_int *s, int64_t value)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i] == value)
            return true;
    return false;
}

struct error *api_vif_set_trunks(struct call *c, const struct vif_set_trunks_args *a)
{
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    TRY(vif_check_trunks(&a->value));
    vif->trunks = a->value;
    return NULL;
}

struct error *api_vif_add_trunks(struct call *c, const struct vif_add_trunks_args *a)
{
    const struct set_int one = {1, &a->value};
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    TRY(vif_check_trunks(&one));
    if (has_trunk(&vif->trunks, a->value))
        return NULL;
    int64_t *v = arena_array(c->arena, int64_t, vif->trunks.n + 1);

    for (size_t i = 0; i < vif->trunks.n; i++)
        v[i] = vif->trunks.v[i];
    v[vif->trunks.n] = a->value;
    vif->trunks = (struct set_int){vif->trunks.n + 1, v};
    return NULL;
}

struct error *api_vif_remove_trunks(struct call *c, const struct vif_remove_trunks_args *a)
{
    struct vif_rec *vif;
    size_t n = 0;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    int64_t *v = arena_array(c->arena, int64_t, vif->trunks.n);

    for (size_t i = 0; i < vif->trunks.n; i++)
        if (vif->trunks.v[i] != a->value)
            v[n++] = vif->trunks.v[i];
    vif->trunks = (struct set_int){n, v};
    return NULL;
}
