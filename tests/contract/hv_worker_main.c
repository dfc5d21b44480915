/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator as a worker, for the tests of hv/remote. */
#include "hv/remote/remote.h"

int main(int argc, char **argv)
{
    return hv_worker_main(&hv_sim_driver, "hv_worker", argc, argv);
}
