/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An uploaded tar archive, perhaps compressed, member by member. One thread. */

#include "api/http/transfer.h"
#include "stream/tar.h"
#include "stream/unpack.h"

struct upload {
    struct transfer *t;
    struct unpack *unpack;
    int64_t left; /* bytes of the current member that were not read */
    size_t padding;
};

void upload_begin(struct transfer *t, struct upload *ret);
void upload_fini(struct upload *u);
/* What is left of the one before is passed over. *ret_end: there are no more.
 * IMPORT_ERROR [what is wrong], IMPORT_ERROR_PREMATURE_EOF. */
_must_check_ struct error *upload_next(struct upload *u, struct tar_member *ret, bool *ret_end);
/* Exactly so many bytes of the current member. */
_must_check_ struct error *upload_read(struct upload *u, void *p, size_t n);
