/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The client's end of the host protocol, by hand. Failures are the test's. */

/* Gives up after 20 s without a byte. */
int raw_connection(const char *path);
void raw_greet(int fd, const char *schema);
/* Greeted, and the answer read. */
int raw_greeted(const char *path);
/* Whatever comes first; then the end. */
void raw_await_end(int fd);
