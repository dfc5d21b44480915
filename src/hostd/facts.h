/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel says about this machine, as members of host_facts. Any thread; reads files of
 * /proc and /sys (Linux, Documentation/filesystems/proc.rst and ABI/). What cannot be read is left
 * at its default. */

#include "base/arena.h"
#include "gen/host_proto.h"

void facts_add_cpus(struct arena *a, struct host_host_facts_result *f);
/* real: the interfaces of this machine; else two made up, for simulated hosts. */
void facts_add_interfaces(struct arena *a, bool real, struct host_host_facts_result *f);
void facts_add_system(struct arena *a, struct host_host_facts_result *f);
/* A member of /proc/meminfo in bytes, 0 = unknown. */
int64_t facts_meminfo(const char *key);
/* First line of a file without its end, "" if it cannot be read. */
const char *facts_line(struct arena *a, const char *path);
