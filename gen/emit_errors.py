# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/errors.{h,c}: codes, typed constructors and the catalogue that `xe` prints from."""

import cname


HEADER = '''/*
 * The error catalogue. ERR_X is the code as text; err_x(...) makes the error with its parameters,
 * each a const char *. References, not uuids, unless the schema says otherwise.
 */

#include "base/error.h"

struct error_info {
    const char *code;
    const char *doc;           /* a sentence for people, "" if there is none yet */
    const char *const *params; /* labels, n_params of them */
    int n_params;
};

extern const struct error_info error_catalogue[]; /* sorted by code */
extern const int error_catalogue_n;
/* NULL if the code is not in the catalogue. */
const struct error_info *error_catalogue_find(const char *code);

/* Makes the compiler check that a parameter is a string. */
static inline const char *err_text_(const char *s)
{
    return s;
}

'''

SOURCE = '''#include "gen/errors.h"

#include <stdlib.h>
#include <string.h>

const struct error_info error_catalogue[] = {
'''

FIND = '''};

const int error_catalogue_n = sizeof(error_catalogue) / sizeof(error_catalogue[0]);

static int compare(const void *code, const void *info)
{
    return strcmp(code, ((const struct error_info *)info)->code);
}

const struct error_info *error_catalogue_find(const char *code)
{
    return bsearch(code, error_catalogue, (size_t)error_catalogue_n, sizeof(error_catalogue[0]),
                   compare);
}
'''


def emit(schema, out):
    h, c = HEADER, SOURCE
    for e in sorted(schema.errors.values(), key=lambda e: e.name):
        h += f"#define ERR_{cname.upper(e.name)} {cname.c_string(e.name)}\n"
        if not e.variadic:
            h += _constructor(e)
        labels = ", ".join(cname.c_string(p) for p in e.params)
        params = f"(const char *const[]){{{labels}}}" if e.params else "NULL"
        c += (f"    {{{cname.c_string(e.name)}, {cname.c_string(e.doc)},\n"
              f"     {params}, {len(e.params)}}},\n")
    c += FIND
    out.header("errors.h", h)
    out.source("errors.c", c)


def parameter_names(e):
    """Distinct identifiers for the parameters of an error."""
    names = []
    for label in e.sent:
        name = cname.lower(label) + "_"
        while name in names:
            name = name[:-1] + "2_"
        names.append(name)
    return names


def _constructor(e):
    names = parameter_names(e)
    code = f"ERR_{cname.upper(e.name)}"
    head = f"#define err_{cname.lower(e.name)}({', '.join(names)})"
    args = "".join(f", err_text_({n})" for n in names)
    return f"{head} \\\n    error_api({code}, {len(names)}{args})\n"
