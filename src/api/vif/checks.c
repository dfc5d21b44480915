/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vif/vif.h"
#include "gen/errors.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#define VLAN_MAX 4094

struct error *vif_check_network(struct txn *t, const char *ref)
{
    const struct network_rec *network;

    TRY(txn_network(t, ref, &network));
    return network->managed ? NULL : err_network_unmanaged(network->self);
}

static bool is_address(const char *text, int family)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(family, text, bytes) == 1;
}

struct error *vif_check_addresses(const struct set_string *addresses, int family, const char *field)
{
    for (size_t i = 0; i < addresses->n; i++)
        if (!is_address(addresses->v[i], family))
            return err_invalid_ip_address_specified(field);
    return NULL;
}

struct error *vif_check_trunks(const struct set_int *trunks)
{
    for (size_t i = 0; i < trunks->n; i++) {
        char text[32];

        if (trunks->v[i] >= 0 && trunks->v[i] <= VLAN_MAX)
            continue;
        snprintf(text, sizeof(text), "%" PRId64, trunks->v[i]);
        return err_vlan_tag_invalid(text);
    }
    return NULL;
}
