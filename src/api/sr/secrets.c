/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/sr/secrets.h"

#include "api/common/lists.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/secret_txn.h"

/* A key, and the one that takes its place. */
static const char *const names[][2] = {
    {"password", "password_secret"},
    {"cifspassword", "cifspassword_secret"},
    {"chappassword", "chappassword_secret"},
    {"incoming_chappassword", "incoming_chappassword_secret"},
};

void secrets_hide(struct txn *t, struct map_string_string *config)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *password = map_find(config, names[i][0]);

        if (!password)
            continue;
        struct secret_rec *s = txn_new_secret(t);

        s->value = password;
        map_remove(txn_arena(t), config, names[i][0]);
        map_set(txn_arena(t), config, names[i][1], s->uuid);
    }
}

struct error *secrets_show(struct daemon *d, struct arena *a,
                           const struct map_string_string *config, struct map_string_string *ret)
{
    *ret = *config;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *uuid = map_find(config, names[i][1]);

        if (!uuid)
            continue;
        _cleanup_version_ struct version *v = store_find_uuid(d->store, CLASS_SECRET, uuid);

        if (!v)
            return error_api("SR_BACKEND_FAILURE_20", 3, "", "No such secret.", uuid);
        const struct secret_rec *s = v->rec;

        map_remove(a, ret, names[i][1]);
        map_set(a, ret, names[i][0], arena_strdup(a, s->value));
    }
    return NULL;
}

static bool is_named_elsewhere(struct txn *t, const char *pbd, const char *uuid)
{
    const struct pbd_rec *const *all;
    size_t n = txn_all_pbd(t, &all);

    for (size_t i = 0; i < n; i++) {
        const struct map_string_string *config = &all[i]->device_config;

        for (size_t j = 0; j < config->n; j++)
            if (streq(config->v[j], uuid) && !(pbd && streq(all[i]->self, pbd)))
                return true;
    }
    return false;
}

struct error *secrets_drop(struct txn *t, const char *pbd, const struct map_string_string *config)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *uuid = map_find(config, names[i][1]);
        const struct secret_rec *s = uuid ? txn_find_uuid(t, CLASS_SECRET, uuid) : NULL;

        if (s && !is_named_elsewhere(t, pbd, uuid))
            TRY(txn_delete_secret(t, s->self));
    }
    return NULL;
}
