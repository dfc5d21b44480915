/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text console of a VM. */
#include "cli/commands.h"
#include "cli/select.h"

/* The serial console among those of the VM. */
static struct error *text_console(struct xe *x, const char *vm, json_t **ret)
{
    _cleanup_json_ json_t *refs = NULL;
    const json_t *ref;
    size_t i;

    TRY(call(&x->client, &refs, "VM.get_consoles", "s", vm));
    json_array_foreach (refs, i, ref) {
        _cleanup_json_ json_t *record = NULL;

        TRY(call(&x->client, &record, "console.get_record", "s", json_string_value(ref)));
        if (streq(text_of(record, "protocol"), "vt100")) {
            *ret = json_incref(record);
            return NULL;
        }
    }
    if (x->client.front->is_person)
        front_tell(x->client.front, "The screen is reached by VNC: xe help consoles\n");
    return front_fail(x->client.front, "No text console available");
}

struct error *console(struct xe *x)
{
    _cleanup_(selection_fini) struct selection vms = {0};
    _cleanup_json_ json_t *record = NULL;
    _cleanup_free_ char *name = NULL, *host = NULL;
    struct front *f = x->client.front;

    TRY(select_objects(x, &vms));
    if (!vms.n)
        return front_fail(f, "No VM found");
    if (vms.n > 1)
        return front_fail(f, "Multiple VMs found: please narrow your request to one VM.");
    TRY(text_console(x, vms.v[0].ref, &record));
    TRY(call_string(&x->client, &name, "VM.get_name_label", "s", vms.v[0].ref));
    const char *location = http_split_url(text_of(record, "location"), &host);
    _cleanup_free_ char *path = xasprintf("%s%csession_id=%s", location,
                                          strchr(location, '?') ? '&' : '?', x->client.session);
    const struct front_place place = {.host = host, .path = path};

    print_now(&x->printer, "Connecting to console on VM %s. Press Ctrl + ']' to quit.", name);
    return f->ops->console(f, &x->client, &place);
}
