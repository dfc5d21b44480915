/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/*
 * Makes an ordinary user root of namespaces of its own (users and mounts), so that tests may mount
 * and drop privileges. Before the program's first thread. True: we are root, here or really; false:
 * the machine lets nobody do that.
 */
bool namespace_be_root(void);
