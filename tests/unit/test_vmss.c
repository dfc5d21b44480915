/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When snapshot schedules are due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/vmss/vmss.h"

#define HOUR 3600
#define DAY  (24 * HOUR)
/* 2026-01-05, a Monday, midnight. */
#define MONDAY 1767571200ll

static const char *const keys[] = {"min", "hour", "days"};

static int64_t due(int frequency, const char *min, const char *hour, const char *days, int64_t now)
{
    const char *values[] = {min, hour, days};
    struct vmss_rec v = {.frequency = frequency};

    v.schedule = (struct map_string_string){.n = days   ? 3
                                                 : hour ? 2
                                                        : 1,
                                            .k = (const char **)(uintptr_t)keys,
                                            .v = values};
    return vmss_last_due(&v, now);
}

static void hourly(void **state)
{
    assert_int_equal(due(VMSS_FREQUENCY_HOURLY, "15", NULL, NULL, MONDAY + 15 * 60),
                     MONDAY + 15 * 60);
    assert_int_equal(due(VMSS_FREQUENCY_HOURLY, "15", NULL, NULL, MONDAY + 15 * 60 - 1),
                     MONDAY - 45 * 60);
}

static void daily(void **state)
{
    assert_int_equal(due(VMSS_FREQUENCY_DAILY, "30", "3", NULL, MONDAY + 4 * HOUR),
                     MONDAY + 3 * HOUR + 30 * 60);
    assert_int_equal(due(VMSS_FREQUENCY_DAILY, "30", "3", NULL, MONDAY + 3 * HOUR),
                     MONDAY - DAY + 3 * HOUR + 30 * 60);
}

static void weekly(void **state)
{
    int64_t wednesday = MONDAY + 2 * DAY;

    assert_int_equal(due(VMSS_FREQUENCY_WEEKLY, "0", "3", "Monday", wednesday), MONDAY + 3 * HOUR);
    assert_int_equal(due(VMSS_FREQUENCY_WEEKLY, "0", "3", "monday, Tuesday", wednesday),
                     MONDAY + DAY + 3 * HOUR);
    assert_int_equal(due(VMSS_FREQUENCY_WEEKLY, "0", "3", "Wednesday", wednesday),
                     MONDAY - 5 * DAY + 3 * HOUR);
}

static void never(void **state)
{
    assert_int_equal(due(VMSS_FREQUENCY_DAILY, "0", NULL, NULL, MONDAY), -1);
    assert_int_equal(due(VMSS_FREQUENCY_HOURLY, "", NULL, NULL, MONDAY), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hourly),
        cmocka_unit_test(daily),
        cmocka_unit_test(weekly),
        cmocka_unit_test(never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
