/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/params.h"

#include "gen/errors.h"
#include "rules/lookup.h"
#include "rules/memory.h"

#include <stdlib.h>

/* Decimal, nothing around it; -1 otherwise. */
static long number_of(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    return *text && !*end && n >= 0 ? n : -1;
}

struct error *firmware_check(const struct map_string_string *boot_params)
{
    const char *firmware = config_find(boot_params, "firmware");

    if (firmware && !streq(firmware, "bios") && !streq(firmware, "uefi"))
        return err_invalid_value("HVM-boot-params['firmware']", firmware);
    return NULL;
}

struct error *platform_key_check(const char *key, const char *value)
{
    static const char *const ports[] = {"none", "/dev/parport0", "/dev/parport1", "/dev/parport2"};

    if (streq(key, "tsc_mode") && (number_of(value) < 0 || number_of(value) > 3))
        return err_invalid_value("platform:tsc_mode", value);
    if (streq(key, "cores-per-socket") && number_of(value) <= 0)
        return err_invalid_value("platform:cores-per-socket", value);
    if (!streq(key, "parallel"))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        if (streq(value, ports[i]))
            return NULL;
    return err_invalid_value("platform:parallel", value);
}

struct error *platform_check(const struct map_string_string *platform, int64_t vcpus_max)
{
    const char *cores = config_find(platform, "cores-per-socket");
    const char *usb = config_find(platform, "usb");

    for (size_t i = 0; i < platform->n; i++)
        TRY(platform_key_check(platform->k[i], platform->v[i]));
    if (cores && vcpus_max % number_of(cores))
        return err_invalid_value("platform:cores-per-socket", cores);
    if (usb && !config_is_true(platform, "usb") && config_is_true(platform, "usb_tablet"))
        return err_invalid_value("platform:usb_tablet", config_find(platform, "usb_tablet"));
    return NULL;
}

struct error *ha_priority_check(const char *priority)
{
    if (!*priority || streq(priority, "restart") || streq(priority, "best-effort"))
        return NULL;
    return err_invalid_value("ha_restart_priority", priority);
}

static struct error *count_check(const char *field, int64_t value)
{
    if (value >= 0)
        return NULL;
    _cleanup_free_ char *text = xasprintf("%lld", (long long)value);

    return err_invalid_value(field, text);
}

struct error *vm_settings_check(const struct vm_rec *vm)
{
    const struct memory_limits m = {
        .static_min = vm->memory_static_min,
        .dynamic_min = vm->memory_dynamic_min,
        .dynamic_max = vm->memory_dynamic_max,
        .static_max = vm->memory_static_max,
    };

    TRY(memory_check_order(&m));
    TRY(vcpus_check(vm->VCPUs_at_startup, vm->VCPUs_max));
    TRY(shadow_multiplier_check(vm->HVM_shadow_multiplier));
    TRY(firmware_check(&vm->HVM_boot_params));
    TRY(platform_check(&vm->platform, vm->VCPUs_max));
    TRY(ha_priority_check(vm->ha_restart_priority));
    TRY(count_check("start_delay", vm->start_delay));
    TRY(count_check("shutdown_delay", vm->shutdown_delay));
    return count_check("order", vm->order);
}

int64_t vm_memory_overhead(const struct vm_rec *vm)
{
    const struct memory_shape shape = {
        .domain_type = vm->domain_type == DOMAIN_TYPE_UNSPECIFIED
                           ? domain_type_of_policy(vm->HVM_boot_policy)
                           : vm->domain_type,
        .vcpus = vm->VCPUs_max,
        .static_max = vm->memory_static_max,
        .shadow_multiplier = vm->HVM_shadow_multiplier,
    };

    return memory_overhead(&shape);
}

int domain_type_of_policy(const char *policy)
{
    return *policy ? DOMAIN_TYPE_HVM : DOMAIN_TYPE_PV;
}

const char *policy_of_domain_type(int domain_type)
{
    return domain_type == DOMAIN_TYPE_HVM ? "BIOS order" : "";
}
