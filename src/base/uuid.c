/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/uuid.h"

#include "base/mem.h"
#include "base/world.h"

#include <ctype.h>
#include <string.h>

static bool is_dash(int i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

struct uuid_text uuid_from_bytes(const unsigned char b[16])
{
    static const char hex[] = "0123456789abcdef";
    struct uuid_text u;
    int n = 0;

    for (int i = 0; i < UUID_LEN; i++) {
        if (is_dash(i)) {
            u.s[i] = '-';
            continue;
        }
        u.s[i] = hex[n % 2 ? b[n / 2] & 15 : b[n / 2] >> 4];
        n++;
    }
    u.s[UUID_LEN] = 0;
    return u;
}

struct uuid_text uuid_random(void)
{
    unsigned char b[16];

    world->random(b, sizeof(b));
    b[6] = (unsigned char)(0x40 | (b[6] & 0x0f));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    return uuid_from_bytes(b);
}

struct ref_text ref_random(void)
{
    struct uuid_text u = uuid_random();
    struct ref_text r;

    memcpy(r.s, REF_PREFIX, sizeof(REF_PREFIX) - 1);
    memcpy(r.s + sizeof(REF_PREFIX) - 1, u.s, sizeof(u.s));
    return r;
}

bool uuid_is_valid(const char *s)
{
    for (int i = 0; i < UUID_LEN; i++) {
        if (is_dash(i) ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    }
    return s[UUID_LEN] == 0;
}

bool uuid_is_plain(const char *s)
{
    return uuid_is_valid(s) && !strpbrk(s, "ABCDEF");
}

bool uuid_is_with(const char *name, const char *suffix)
{
    struct uuid_text uuid;

    if (strlen(name) < UUID_LEN || !streq(name + UUID_LEN, suffix))
        return false;
    memcpy(uuid.s, name, UUID_LEN);
    uuid.s[UUID_LEN] = 0;
    return uuid_is_valid(uuid.s);
}
