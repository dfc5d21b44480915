/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A class record and an argument list with a field of every kind, for tests without the schema. */

#include "value/type.h"

enum sample_color { COLOR_RED, COLOR_DARK_BLUE, COLOR_GREEN };

struct sample_part {
    const char *name;
    int64_t weight;
};

struct sample {
    const char *self;
    const char *uuid;
    const char *name_label;
    const char *password;
    int64_t size;
    double load;
    bool ready;
    int64_t born;
    int color;
    int strict_color;
    const char *owner;
    struct set tags;         /* string */
    struct set friends;      /* ref */
    struct map other_config; /* string -> string */
    struct map counts;       /* int -> color */
    struct map keys;         /* ref -> set of string */
    const int64_t *limit;    /* option */
    struct sample_part part;
    struct set parts; /* record */
    const char *hidden;
    struct json_t *any;
};

enum sample_field {
    F_UUID,
    F_NAME_LABEL,
    F_PASSWORD,
    F_SIZE,
    F_LOAD,
    F_READY,
    F_BORN,
    F_COLOR,
    F_STRICT_COLOR,
    F_OWNER,
    F_TAGS,
    F_FRIENDS,
    F_OTHER_CONFIG,
    F_COUNTS,
    F_KEYS,
    F_LIMIT,
    F_PART,
    F_PARTS,
    F_HIDDEN,
    F_ANY,
    F_MAX
};

extern const struct struct_info sample_info;
extern const struct struct_info sample_part_info;
extern const struct type sample_type_void, sample_type_string, sample_type_int, sample_type_float,
    sample_type_bool, sample_type_datetime, sample_type_color, sample_type_strict_color,
    sample_type_ref, sample_type_set_string, sample_type_map_string, sample_type_option_int,
    sample_type_sample, sample_type_any;

/* A record with a value in every field but `any`; constant, nothing to free. */
extern const struct sample sample_full;
