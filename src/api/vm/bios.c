/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firmware strings (SMBIOS) of a VM: set once, by hand or from a host, so that software that is
 * bound to a maker's machines runs in it. Keys and limits are those of the XenAPI.
 */
#include "api/common/lists.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"

#define VALUE_MAX 512

/* What a VM has where nothing else was said. */
static const struct {
    const char *key;
    const char *value;
    bool settable;
} strings[] = {
    {"bios-vendor", "Xen", true},
    {"bios-version", "", true},
    {"system-manufacturer", "Xen", true},
    {"system-product-name", "HVM domU", true},
    {"system-version", "", true},
    {"system-serial-number", "", true},
    {"enclosure-asset-tag", "", true},
    {"baseboard-manufacturer", "", true},
    {"baseboard-product-name", "", true},
    {"baseboard-version", "", true},
    {"baseboard-serial-number", "", true},
    {"baseboard-asset-tag", "", true},
    {"baseboard-location-in-chassis", "", true},
    {"hp-rombios", "", false},
    {"oem-1", "Xen", false},
    {"oem-2", "MS_VM_CERT/SHA1/bdbeb6e0a816d43fa6d3fe8aaef04c2bad9d3e3d", false},
};

static bool is_settable(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        if (strings[i].settable && streq(strings[i].key, key))
            return true;
    return false;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static struct error *check(const struct map_string_string *m)
{
    for (size_t i = 0; i < m->n; i++) {
        const char *key = m->k[i], *value = m->v[i];

        if (!is_settable(key))
            return err_invalid_value(key, "Unknown key");
        if (!*value)
            return err_invalid_value(key, "Value provided is empty");
        if (strlen(value) > VALUE_MAX)
            return err_invalid_value(key, "Value is longer than 512 characters");
        if (!is_printable(value))
            return err_invalid_value(key, "Value has characters that are not printable ASCII");
    }
    return NULL;
}

struct error *api_vm_set_bios_strings(struct call *c, const struct vm_set_bios_strings_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (vm->bios_strings.n)
        return err_vm_bios_strings_already_set();
    TRY(check(&a->value));
    const char **k = arena_array(c->arena, const char *, ARRAY_SIZE(strings));
    const char **v = arena_array(c->arena, const char *, ARRAY_SIZE(strings));

    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        const char *given = map_find(&a->value, strings[i].key);

        k[i] = strings[i].key;
        v[i] = given ? given : strings[i].value;
    }
    vm->bios_strings = (struct map_string_string){.n = ARRAY_SIZE(strings), .k = k, .v = v};
    return NULL;
}

struct error *api_vm_copy_bios_strings(struct call *c, const struct vm_copy_bios_strings_args *a)
{
    const struct host_rec *host;
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->vm, &vm));
    TRY(txn_host(c->txn, a->host, &host));
    if (vm->bios_strings.n)
        return err_vm_bios_strings_already_set();
    vm->bios_strings = host->bios_strings;
    return NULL;
}
