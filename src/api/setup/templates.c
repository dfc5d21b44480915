/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The default templates as rows. */
#include "rules/templates.h"
#include "api/setup/rows.h"
#include "base/world.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/class/VM_txn.h"

struct error *setup_templates(struct setup *s)
{
    for (size_t i = 0; i < template_list_n; i++) {
        struct vm_metrics_rec *m = txn_new_vm_metrics(s->t);
        struct vm_rec *vm = txn_new_vm(s->t);

        template_fill(&template_list[i], s->a, vm);
        vm->metrics = m->self;
        m->install_time = m->last_updated = now_s();
    }
    return NULL;
}
