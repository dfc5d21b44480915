/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * RPC envelopes: from a request body to method, parameters and id, and from an encoded value or an
 * error to the bytes of the answer. Pure functions; the answer is a list of pieces around the
 * value's own pieces, which are not copied.
 *
 * XML-RPC: a success is a struct Status/Value, a failure Status/ErrorDescription; HTTP 200 either
 * way. JSON-RPC 1.0 without a "jsonrpc" member, else 2.0. Content types are exactly `text/xml` and
 * `application/json`, because clients compare them.
 */

#include "base/arena.h"
#include "base/error.h"

#include <jansson.h>
#include <sys/uio.h>

enum rpc_format { RPC_XML, RPC_JSON1, RPC_JSON2 };

struct rpc_request {
    enum rpc_format format;
    const char *method; /* arena */
    json_t *params;     /* array, owned */
    const char *id;     /* JSON text of the id, arena; "null" if there was none */
};

void rpc_request_fini(struct rpc_request *rq);

/*
 * `json`: the endpoint's kind. On an error *ret is still good enough for rpc_failure (format and id
 * as far as they could be read). Errors are API errors; malformed bodies give INTERNAL_ERROR
 * [text]. JSON: params may be an array, an object (the only parameter) or absent; batches and
 * notifications are refused.
 */
_must_check_ struct error *rpc_parse(struct arena *a, bool json, const char *body, size_t len,
                                     struct rpc_request *ret);

struct rpc_answer {
    const char *type; /* content type */
    struct iovec *pieces;
    size_t n;
};

/* value: pieces of `<value>...</value>` or of JSON text, alive as long as the arena. */
void rpc_success(struct arena *a, const struct rpc_request *rq, const struct iovec *value, size_t n,
                 struct rpc_answer *ret);
/* Parameters that are not UTF-8 are shown with '?' for each bad byte. */
void rpc_failure(struct arena *a, const struct rpc_request *rq, const struct error *e,
                 struct rpc_answer *ret);
/* XML only: the value without the Status struct (system.listMethods). JSON: as rpc_success. */
void rpc_bare(struct arena *a, const struct rpc_request *rq, const struct iovec *value, size_t n,
              struct rpc_answer *ret);
