/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * UUIDs as text: 36 lower-case characters. References are "OpaqueRef:" and a random UUID that has
 * nothing to do with the object's own.
 */

#include "base/cleanup.h"

#define UUID_LEN   36
#define REF_PREFIX "OpaqueRef:"
#define REF_LEN    (sizeof(REF_PREFIX) - 1 + UUID_LEN)

struct uuid_text {
    char s[UUID_LEN + 1];
};
struct ref_text {
    char s[REF_LEN + 1];
};

struct uuid_text uuid_random(void); /* version 4 */
struct ref_text ref_random(void);
bool uuid_is_valid(const char *s); /* 8-4-4-4-12 hexadecimal digits, either case */
/* The same in lower case only, for what is a name: one thing must not have two. */
bool uuid_is_plain(const char *s);
/* A name that is a valid UUID and this suffix (".json"), as files are called. */
bool uuid_is_with(const char *name, const char *suffix);
/* 16 bytes printed as a UUID, nothing set or masked. */
struct uuid_text uuid_from_bytes(const unsigned char b[16]);
