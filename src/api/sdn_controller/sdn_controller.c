/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one controller of the virtual switches: where it is, or where it is to be let in. */
#include "gen/msg/SDN_controller.h"
#include "gen/class/SDN_controller_txn.h"
#include "rpc/call.h"

#include <arpa/inet.h>

#define DEFAULT_PORT 6632
#define PORT_MAX     65535

static struct error *check_address(int protocol, const char *address)
{
    unsigned char bin[sizeof(struct in6_addr)];

    if (protocol == SDN_CONTROLLER_PROTOCOL_PSSL)
        return *address ? err_invalid_value("address", address) : NULL;
    if (inet_pton(AF_INET, address, bin) == 1 || inet_pton(AF_INET6, address, bin) == 1)
        return NULL;
    return err_invalid_ip_address_specified("address");
}

/* ssl: the switches call the address. pssl: they listen, so that there is none. */
struct error *api_sdn_controller_introduce(struct call *c,
                                           const struct sdn_controller_introduce_args *a,
                                           const char **ret)
{
    const struct sdn_controller_rec *const *all;

    if (txn_all_sdn_controller(c->txn, &all))
        return err_operation_not_allowed("SDN controller has been configured. Please forget it "
                                         "first.");
    TRY(check_address(a->protocol, a->address));
    if (a->port < 0 || a->port > PORT_MAX)
        return err_value_not_supported("port", arena_printf(c->arena, "%lld", (long long)a->port),
                                       "A port is a number from 1 to 65535");
    struct sdn_controller_rec *made = txn_new_sdn_controller(c->txn);

    made->protocol = a->protocol;
    made->address = a->address;
    made->port = a->port ? a->port : DEFAULT_PORT;
    *ret = made->self;
    return NULL;
}

struct error *api_sdn_controller_forget(struct call *c, const struct sdn_controller_forget_args *a)
{
    return txn_delete_sdn_controller(c->txn, a->self);
}
