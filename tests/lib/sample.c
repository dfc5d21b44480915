/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/sample.h"

#include "base/cleanup.h"

static const char *const color_names[] = {"red", "Dark_Blue", "green"};
static const struct enum_info color = {.name = "color", .names = color_names, .n = 3};
static const struct enum_info strict_color = {
    .name = "strict_color", .names = color_names, .n = 3, .exact = true};

const struct type sample_type_void = {.kind = K_VOID, .text = "void"};
const struct type sample_type_string = {.kind = K_STRING, .size = sizeof(char *), .text = "string"};
const struct type sample_type_int = {.kind = K_INT, .size = sizeof(int64_t), .text = "int"};
const struct type sample_type_float = {.kind = K_FLOAT, .size = sizeof(double), .text = "float"};
const struct type sample_type_bool = {.kind = K_BOOL, .size = sizeof(bool), .text = "bool"};
const struct type sample_type_datetime = {
    .kind = K_DATETIME, .size = sizeof(int64_t), .text = "datetime"};
const struct type sample_type_color = {
    .kind = K_ENUM, .size = sizeof(int), .en = &color, .text = "enum:color"};
const struct type sample_type_strict_color = {
    .kind = K_ENUM, .size = sizeof(int), .en = &strict_color, .text = "enum:strict_color"};
const struct type sample_type_ref = {.kind = K_REF, .size = sizeof(char *), .text = "ref:sample"};
const struct type sample_type_set_string = {
    .kind = K_SET, .size = sizeof(struct set), .elem = &sample_type_string, .text = "set:string"};
const struct type sample_type_map_string = {.kind = K_MAP,
                                            .size = sizeof(struct map),
                                            .key = &sample_type_string,
                                            .elem = &sample_type_string,
                                            .text = "map:string:string"};
const struct type sample_type_option_int = {
    .kind = K_OPTION, .size = sizeof(void *), .elem = &sample_type_int, .text = "option:int"};
const struct type sample_type_sample = {.kind = K_RECORD,
                                        .size = sizeof(struct sample),
                                        .record = &sample_info,
                                        .text = "record:sample"};
const struct type sample_type_any = {.kind = K_ANY, .size = sizeof(void *), .text = "any"};

static const struct type type_secret = {
    .kind = K_SECRET, .size = sizeof(char *), .text = "secretstring"};
static const struct type type_set_ref = {
    .kind = K_SET, .size = sizeof(struct set), .elem = &sample_type_ref, .text = "set:ref:sample"};
static const struct type type_map_counts = {.kind = K_MAP,
                                            .size = sizeof(struct map),
                                            .key = &sample_type_int,
                                            .elem = &sample_type_color,
                                            .text = "map:int:enum:color"};
static const struct type type_map_keys = {.kind = K_MAP,
                                          .size = sizeof(struct map),
                                          .key = &sample_type_ref,
                                          .elem = &sample_type_set_string,
                                          .text = "map:ref:sample:set:string"};
static const struct type type_part = {.kind = K_RECORD,
                                      .size = sizeof(struct sample_part),
                                      .record = &sample_part_info,
                                      .text = "record:part"};
static const struct type type_set_part = {
    .kind = K_SET, .size = sizeof(struct set), .elem = &type_part, .text = "set:record:part"};

#define FIELD(id, st, member, col, ty, fl)                                                         \
    [id] = {.name = #member,                                                                       \
            .column = col,                                                                         \
            .type = &(ty),                                                                         \
            .offset = offsetof(struct st, member),                                                 \
            .flags = (fl),                                                                         \
            .inverse = -1}

static const struct field part_fields[] = {
    FIELD(0, sample_part, name, "name", sample_type_string, FIELD_STORED),
    FIELD(1, sample_part, weight, "weight", sample_type_int, FIELD_STORED),
};
static const struct sample_part part_defaults = {.name = "", .weight = 1};
const struct struct_info sample_part_info = {.name = "part",
                                             .size = sizeof(struct sample_part),
                                             .fields = part_fields,
                                             .n = 2,
                                             .defaults = &part_defaults};

static const struct field sample_fields[] = {
    FIELD(F_UUID, sample, uuid, "uuid", sample_type_string, FIELD_STORED | FIELD_REQUIRED),
    FIELD(F_NAME_LABEL, sample, name_label, "name__label", sample_type_string,
          FIELD_STORED | FIELD_RW),
    FIELD(F_PASSWORD, sample, password, "password", type_secret, FIELD_STORED),
    FIELD(F_SIZE, sample, size, "size", sample_type_int, FIELD_STORED),
    FIELD(F_LOAD, sample, load, "load", sample_type_float, FIELD_SOFT),
    FIELD(F_READY, sample, ready, "ready", sample_type_bool, FIELD_STORED),
    FIELD(F_BORN, sample, born, "born", sample_type_datetime, FIELD_STORED),
    FIELD(F_COLOR, sample, color, "color", sample_type_color, FIELD_STORED),
    FIELD(F_STRICT_COLOR, sample, strict_color, "strict_color", sample_type_strict_color,
          FIELD_STORED),
    FIELD(F_OWNER, sample, owner, "owner", sample_type_ref, FIELD_STORED),
    FIELD(F_TAGS, sample, tags, "tags", sample_type_set_string, FIELD_STORED),
    FIELD(F_FRIENDS, sample, friends, "friends", type_set_ref, FIELD_INVERSE),
    FIELD(F_OTHER_CONFIG, sample, other_config, "other_config", sample_type_map_string,
          FIELD_STORED),
    FIELD(F_COUNTS, sample, counts, "counts", type_map_counts, FIELD_STORED),
    FIELD(F_KEYS, sample, keys, "keys", type_map_keys, FIELD_STORED),
    FIELD(F_LIMIT, sample, limit, "limit", sample_type_option_int, FIELD_STORED),
    FIELD(F_PART, sample, part, "part", type_part, FIELD_STORED),
    FIELD(F_PARTS, sample, parts, "parts", type_set_part, FIELD_STORED),
    FIELD(F_HIDDEN, sample, hidden, "hidden", sample_type_string, FIELD_STORED | FIELD_INTERNAL),
    FIELD(F_ANY, sample, any, "any", sample_type_any, FIELD_INTERNAL),
};

static const struct sample sample_defaults = {
    .self = REF_NULL,
    .uuid = "",
    .name_label = "unnamed",
    .password = "",
    .owner = REF_NULL,
    .part = {.name = "", .weight = 1},
    .hidden = "",
};

const struct struct_info sample_info = {.name = "sample",
                                        .size = sizeof(struct sample),
                                        .fields = sample_fields,
                                        .n = F_MAX,
                                        .has_self = true,
                                        .defaults = &sample_defaults};

static const char *const tags[] = {"a", "it's \"b\" \\ <c>"};
static const char *const friends[] = {"OpaqueRef:1", REF_NULL};
static const char *const config_keys[] = {"k", "", "<&>"};
static const char *const config_values[] = {"v", "line\nbreak", ""};
static const int64_t count_keys[] = {-7, 9223372036854775807};
static const int count_values[] = {COLOR_GREEN, COLOR_DARK_BLUE};
static const struct set key_values[] = {{.n = 2, .v = tags}};
static const int64_t limit = -1;
static const struct sample_part parts[] = {{.name = "lid", .weight = 2}, {.name = "", .weight = 0}};

const struct sample sample_full = {
    .self = "OpaqueRef:self",
    .uuid = "d5a0b4a5-7f3c-4a6c-9d3e-0c1d2e3f4a5b",
    .name_label = "Gr\xc3\xbc\xc3\x9f \"x\" <y> & z\t",
    .password = "secret",
    .size = 4294967296,
    .load = 0.1,
    .ready = true,
    .born = 1706704496,
    .color = COLOR_DARK_BLUE,
    .strict_color = COLOR_GREEN,
    .owner = "OpaqueRef:owner",
    .tags = {.n = ARRAY_SIZE(tags), .v = tags},
    .friends = {.n = ARRAY_SIZE(friends), .v = friends},
    .other_config = {.n = ARRAY_SIZE(config_keys), .k = config_keys, .v = config_values},
    .counts = {.n = ARRAY_SIZE(count_keys), .k = count_keys, .v = count_values},
    .keys = {.n = 1, .k = friends, .v = key_values},
    .limit = &limit,
    .part = {.name = "box", .weight = 5},
    .parts = {.n = ARRAY_SIZE(parts), .v = parts},
    .hidden = "internal",
};
