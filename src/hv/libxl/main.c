/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenolith-libxl: the part of xenolith-hostd that speaks to Xen (hv/remote/remote.h). */
#include "hv/libxl/xl.h"
#include "hv/remote/remote.h"

int main(int argc, char **argv)
{
    return hv_worker_main(&xl_driver, "xenolith-libxl", argc, argv);
}
