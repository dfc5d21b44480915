/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_error.h"

#include "base/mem.h"
#include "base/uuid.h"
#include "model/store.h"

static const enum class_id named[] = {CLASS_VDI, CLASS_SR, CLASS_VM};

static char *reference_of(struct store *s, const char *uuid)
{
    for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
        _cleanup_version_ struct version *v = store_find_uuid(s, named[i], uuid);

        if (v)
            return xstrdup(version_ref_text(v));
    }
    return NULL;
}

struct error *from_host(struct store *s, struct error *e)
{
    for (int i = 0; e && i < e->n_params; i++) {
        char *ref = uuid_is_valid(e->params[i]) ? reference_of(s, e->params[i]) : NULL;

        if (!ref)
            continue;
        free(e->params[i]);
        e->params[i] = ref;
    }
    return e;
}
