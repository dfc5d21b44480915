/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VIFs, PIFs, VLANs and tunnels, as far as a command is more than one call. */
#include "base/world.h"
#include "cli/commands.h"
#include "value/type.h"

#include <strings.h>

/* A locally administered unicast address. */
static void random_mac(char ret[18])
{
    uint8_t b[6];

    world->random(b, sizeof(b));
    b[0] = (uint8_t)((b[0] & 0xfc) | 0x02);
    snprintf(ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

struct error *vif_create(struct xe *x)
{
    _cleanup_free_ char *vm = NULL, *network = NULL, *vif = NULL;
    _cleanup_json_ json_t *mtu = NULL;
    const char *mac = word_or(x, "mac", "");
    char made[18];

    if (streq(mac, "random")) {
        random_mac(made);
        mac = made;
    }
    TRY(word_ref(x, "vm-uuid", "VM", &vm));
    TRY(word_ref(x, "network-uuid", "network", &network));
    TRY(call(&x->client, &mtu, "network.get_MTU", "s", network));
    TRY(call_string(&x->client, &vif, "VIF.create", "{ss ss ss ss sO s{} ss s{} ss s[] s[]}",
                    "device", word_or(x, "device", ""), "network", network, "VM", vm, "MAC", mac,
                    "MTU", mtu, "other_config", "qos_algorithm_type", "", "qos_algorithm_params",
                    "locking_mode", "network_default", "ipv4_allowed", "ipv6_allowed"));
    return print_uuid(x, "VIF", vif);
}

struct error *vif_unplug(struct xe *x)
{
    _cleanup_free_ char *vif = NULL;
    bool force;

    TRY(words_bool(&x->words, "force", false, &force));
    TRY(word_ref(x, "uuid", "VIF", &vif));
    return call(&x->client, NULL, force ? "VIF.unplug_force" : "VIF.unplug", "s", vif);
}

/* These words are taken in any case: "ip=", "dns=". */
static const char *any_case(const struct xe *x, const char *key)
{
    vec_foreach (w, &x->words)
        if (strcasecmp(w->key, key) == 0)
            return w->value;
    return "";
}

struct error *pif_reconfigure_ip(struct xe *x)
{
    _cleanup_free_ char *pif = NULL;

    TRY(word_ref(x, "uuid", "PIF", &pif));
    return call(&x->client, NULL, "PIF.reconfigure_ip", "ssssss", pif, word_or(x, "mode", ""),
                any_case(x, "IP"), word_or(x, "netmask", ""), word_or(x, "gateway", ""),
                any_case(x, "DNS"));
}

struct error *pif_reconfigure_ipv6(struct xe *x)
{
    _cleanup_free_ char *pif = NULL;

    TRY(word_ref(x, "uuid", "PIF", &pif));
    return call(&x->client, NULL, "PIF.reconfigure_ipv6", "sssss", pif, word_or(x, "mode", ""),
                any_case(x, "IPv6"), word_or(x, "gateway", ""), any_case(x, "DNS"));
}

/* VLANs. */

static struct error *vlan_words(struct xe *x, char **ret_pif, char **ret_network, int64_t *ret_tag)
{
    TRY(words_int(&x->words, "vlan", 0, ret_tag));
    TRY(word_ref(x, "network-uuid", "network", ret_network));
    return word_ref(x, "pif-uuid", "PIF", ret_pif);
}

struct error *vlan_create(struct xe *x)
{
    _cleanup_free_ char *pif = NULL, *network = NULL, *vlan = NULL, *made = NULL;
    int64_t tag;

    TRY(vlan_words(x, &pif, &network, &tag));
    TRY(call_string(&x->client, &vlan, "VLAN.create", "sIs", pif, (json_int_t)tag, network));
    /* What people go on with is the interface. */
    TRY(call_string(&x->client, &made, "VLAN.get_untagged_PIF", "s", vlan));
    return print_uuid(x, "PIF", made);
}

struct error *pool_vlan_create(struct xe *x)
{
    _cleanup_free_ char *pif = NULL, *network = NULL;
    _cleanup_json_ json_t *made = NULL;
    const json_t *ref;
    int64_t tag;
    size_t i;

    TRY(vlan_words(x, &pif, &network, &tag));
    TRY(call(&x->client, &made, "pool.create_VLAN_from_PIF", "ssI", pif, network, (json_int_t)tag));
    json_array_foreach (made, i, ref)
        TRY(print_uuid(x, "PIF", json_string_value(ref)));
    return NULL;
}

/* The uuid may be that of the VLAN or of its interface. */
struct error *vlan_destroy(struct xe *x)
{
    _cleanup_free_ char *ref = NULL;
    const char *uuid = word_or(x, "uuid", "");
    struct error *e = ref_of(&x->client, "VLAN", uuid, &ref);

    if (!e)
        return call(&x->client, NULL, "VLAN.destroy", "s", ref);
    struct error *second = ref_of(&x->client, "PIF", uuid, &ref);

    if (second) {
        error_free(second);
        return e;
    }
    error_free(e);
    return call(&x->client, NULL, "PIF.destroy", "s", ref);
}

struct error *tunnel_create(struct xe *x)
{
    _cleanup_free_ char *pif = NULL, *network = NULL, *tunnel = NULL, *made = NULL;

    TRY(word_ref(x, "network-uuid", "network", &network));
    TRY(word_ref(x, "pif-uuid", "PIF", &pif));
    TRY(call_string(&x->client, &tunnel, "tunnel.create", "sss", pif, network,
                    word_or(x, "protocol", "gre")));
    TRY(call_string(&x->client, &made, "tunnel.get_access_PIF", "s", tunnel));
    return print_uuid(x, "PIF", made);
}
