/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_error.h"

#include "base/mem.h"
#include "base/uuid.h"
#include "gen/errors.h"
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

/* hostd knows no domain of a VM that there is: it does not run, or has just ended. */
static bool is_no_domain(const struct error *e)
{
    return error_is(e, ERR_HANDLE_INVALID) && e->n_params == 2 && streq(e->params[0], "VM");
}

struct error *from_host(struct store *s, struct error *e)
{
    for (int i = 0; e && i < e->n_params; i++) {
        char *ref = uuid_is_valid(e->params[i]) ? reference_of(s, e->params[i]) : NULL;

        if (!ref)
            continue;
        free(e->params[i]);
        e->params[i] = ref;
        if (is_no_domain(e)) {
            _cleanup_error_ struct error *no_domain = e;

            return err_vm_bad_power_state(ref, "running, paused", "halted");
        }
    }
    return e;
}
