/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Programs of this product that one of its programs starts. */

#include <limits.h>

/* Where it was built (`built`: from the folder this program lies in), else where it is installed.
 */
void program_find(const char *built, const char *installed, char ret[PATH_MAX]);
