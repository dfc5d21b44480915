/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device numbers, device names, hardware addresses. */
#include "rules/devices.h"

#include "base/mem.h"
#include "base/uuid.h"
#include "gen/class/VBD.h"
#include "gen/class/VIF.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>

/* Plain decimal below 1000 without leading zeros; -1 otherwise. */
static int small_number(const char *text)
{
    int n = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 3 || (text[0] == '0' && len > 1))
        return -1;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text))
            return -1;
        n = n * 10 + (*text - '0');
    }
    return n;
}

/* Letters as after "xvd": a..z, aa..; -1 if there is anything else. */
static int letters_number(const char *text)
{
    int n = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 2)
        return -1;
    for (; *text; text++) {
        if (*text < 'a' || *text > 'z')
            return -1;
        n = n * 26 + (*text - 'a' + 1);
    }
    return n - 1;
}

int vbd_device_number(const char *userdevice, int type)
{
    static const char *const prefixes[] = {"xvd", "hd", "sd"};
    int n = small_number(userdevice);

    if (type == VBD_TYPE_FLOPPY) {
        if (str_starts(userdevice, "fd"))
            n = letters_number(userdevice + 2);
        return n < FLOPPY_DEVICES ? n : -1;
    }
    for (size_t i = 0; n < 0 && i < ARRAY_SIZE(prefixes); i++)
        if (str_starts(userdevice, prefixes[i]))
            n = letters_number(userdevice + strlen(prefixes[i]));
    return n < VBD_DEVICES ? n : -1;
}

const char *vbd_device_name(struct arena *a, int number, int type, bool hvm)
{
    const char *prefix = "xvd";

    if (type == VBD_TYPE_FLOPPY)
        prefix = "fd";
    else if (type == VBD_TYPE_CD && hvm && number < 4) /* the four places of an IDE controller */
        prefix = "hd";
    if (number < 26)
        return arena_printf(a, "%s%c", prefix, 'a' + number);
    return arena_printf(a, "%s%c%c", prefix, 'a' + number / 26 - 1, 'a' + number % 26);
}

static struct set_string numbers_left(struct arena *a, const bool *taken, int n)
{
    const char **v = arena_array(a, const char *, (size_t)n);
    size_t left = 0;

    for (int i = 0; i < n; i++)
        if (!taken[i])
            v[left++] = arena_printf(a, "%d", i);
    return (struct set_string){left, v};
}

struct set_string vbd_devices_free(const struct view *v, struct arena *a, const struct vm_rec *vm,
                                   int type)
{
    bool taken[VBD_DEVICES] = {false};
    bool floppy = type == VBD_TYPE_FLOPPY;

    for (size_t i = 0; i < vm->inv.VBDs.n; i++) {
        const struct vbd_rec *vbd = view_find(v, CLASS_VBD, vm->inv.VBDs.v[i]);

        if (!vbd || (vbd->type == VBD_TYPE_FLOPPY) != floppy)
            continue;
        int n = vbd_device_number(vbd->userdevice, vbd->type);

        if (n >= 0)
            taken[n] = true;
    }
    return numbers_left(a, taken, floppy ? FLOPPY_DEVICES : VBD_DEVICES);
}

int vif_device_number(const char *device)
{
    int n = small_number(device);

    return n < VIF_DEVICES ? n : -1;
}

struct set_string vif_devices_free(const struct view *v, struct arena *a, const struct vm_rec *vm)
{
    bool taken[VIF_DEVICES] = {false};

    for (size_t i = 0; i < vm->inv.VIFs.n; i++) {
        const struct vif_rec *vif = view_find(v, CLASS_VIF, vm->inv.VIFs.v[i]);
        int n = vif ? vif_device_number(vif->device) : -1;

        if (n >= 0)
            taken[n] = true;
    }
    return numbers_left(a, taken, VIF_DEVICES);
}

#define MD5_BYTES 16

static void md5(const void *data, size_t len, unsigned char ret[MD5_BYTES])
{
    int ok = EVP_Digest(data, len, ret, NULL, EVP_md5(), NULL);

    assert(ok == 1);
    (void)ok;
}

/* Sets the bit "locally administered", clears the bit "group". */
static void print_mac(const unsigned char b[6], char ret[MAC_TEXT])
{
    snprintf(ret, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", (b[0] | 0x02) & 0xfe, b[1], b[2], b[3],
             b[4], b[5]);
}

void mac_from_seed(const char *seed, int device, char ret[MAC_TEXT])
{
    unsigned char first[MD5_BYTES], second[MD5_BYTES];

    md5(seed, strlen(seed), first);
    for (int i = 0; i < 2 * device; i++) {
        unsigned char next[MD5_BYTES];

        md5(first, sizeof(first), next);
        memcpy(first, next, sizeof(first));
    }
    md5(first, sizeof(first), second);
    print_mac((const unsigned char[]){first[0], first[1], first[2], first[3], second[1], second[2]},
              ret);
}

void mac_random(char ret[MAC_TEXT])
{
    struct uuid_text seed = uuid_random();

    mac_from_seed(seed.s, 0, ret);
}

bool mac_is_valid(const char *text)
{
    static const char low_bit[] = "13579bBdDfF";

    if (strlen(text) != MAC_TEXT - 1)
        return false;
    for (size_t i = 0; text[i]; i++)
        if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
            return false;
    return !strchr(low_bit, text[1]);
}
