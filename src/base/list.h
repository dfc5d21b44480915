/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Intrusive doubly linked list with a sentinel head. A node that is not linked points to itself,
 * so removing twice is harmless.
 */

#include "base/cleanup.h"

struct list {
    struct list *prev;
    struct list *next;
};

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_remove(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

static inline void list_insert_before(struct list *at, struct list *n)
{
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}

/* Adds at the end of the list whose head is given. */
static inline void list_append(struct list *head, struct list *n)
{
    list_insert_before(head, n);
}

static inline void list_prepend(struct list *head, struct list *n)
{
    list_insert_before(head->next, n);
}

#define list_entry(node, type, member) container_of(node, type, member)

/* The current node may be removed inside the loop. */
#define list_foreach(it, head, member)                                                             \
    for (__typeof__(it) next_##it = (it = list_entry((head)->next, __typeof__(*it), member),       \
                                    list_entry(it->member.next, __typeof__(*it), member));         \
         &it->member != (head);                                                                    \
         it = next_##it, next_##it = list_entry(it->member.next, __typeof__(*it), member))
