/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/news.h"

#include "api/message/post.h"
#include "gen/class/host_txn.h"

static int64_t priority_of(const char *alert)
{
    for (int i = 0; i < alerts_n; i++)
        if (streq(alerts[i].name, alert))
            return alerts[i].priority;
    return 5;
}

struct error *vm_news(struct txn *t, const struct vm_rec *vm, const char *alert)
{
    const struct host_rec *host = txn_find_host(t, vm->resident_on);
    const char *where =
        host ? arena_printf(txn_arena(t), " on host: %s (uuid: %s)", host->name_label, host->uuid)
             : "";
    const struct message_text text = {
        .name = alert,
        .priority = priority_of(alert),
        .cls = CLS_VM,
        .uuid = vm->uuid,
        .body = arena_printf(txn_arena(t), "VM '%s'%s", vm->name_label, where),
    };

    return message_post(t, &text, NULL);
}

struct error *vm_plan_news(struct plan *p, struct txn *t, const char *alert)
{
    const struct vm_rec *vm;

    TRY(txn_vm(t, plan_str(p, "vm"), &vm));
    return vm_news(t, vm, alert);
}
