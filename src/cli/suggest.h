/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What somebody may have meant: the known word that a mistyped one is nearest to. Only for people:
 * scripts get the texts of the reference alone.
 */

#include "cli/command.h"

struct nearest {
    const char *typed;
    char *word;   /* NULL = nothing is near enough; owned */
    int distance; /* changes that lead there */
};

void nearest_init(struct nearest *n, const char *typed);
void nearest_fini(struct nearest *n);
void nearest_try(struct nearest *n, const char *word);

/* "Unknown command", and to people the one that was meant. */
_malloc_ struct error *suggest_command(struct xe *x, const char *typed);
/* Tells people of words that the command does not know and will not look at. */
void suggest_parameters(struct xe *x);
