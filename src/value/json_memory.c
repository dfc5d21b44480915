/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of jansson's trees. A call brings a few hundred small pieces and gives all of them back at
 * its end; the C library keeps seven of each size at hand and works hard for the rest. So a thread
 * keeps those it gave back last for the next tree. Pieces may come from one thread and go to
 * another's.
 */
#include "value/json.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>

/* As the C library cuts them: 24 bytes, then 16 more each. */
#define SMALLEST 24u
#define STEP     16u
#define SIZES    16u
#define KEPT_MAX (64u << 10) /* bytes, of each thread */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#ifdef SANITIZED

/* What is used after it was freed is to be seen. */
void json_own_memory(void)
{
    json_set_alloc_funcs(xmalloc, free);
}

#else

struct spare {
    struct spare *next;
};

struct kept {
    struct spare *first[SIZES];
    size_t bytes;
};

static _Thread_local struct kept *kept; /* NULL until the thread gives something back */
static pthread_key_t at_exit;

static void drop(void *arg)
{
    struct kept *k = arg;

    kept = NULL;
    for (size_t i = 0; i < SIZES; i++) {
        while (k->first[i]) {
            struct spare *s = k->first[i];

            k->first[i] = s->next;
            free(s);
        }
    }
    free(k);
}

static void *get(size_t size)
{
    const size_t i = size <= SMALLEST ? 0 : (size - SMALLEST + STEP - 1) / STEP;
    struct spare *s = kept && i < SIZES ? kept->first[i] : NULL;

    if (!s)
        return xmalloc(size);
    kept->first[i] = s->next;
    kept->bytes -= SMALLEST + i * STEP;
    return s;
}

static void put(void *p)
{
    const size_t size = malloc_usable_size(p); /* 0 for NULL */
    const size_t i = size < SMALLEST ? SIZES : (size - SMALLEST) / STEP;
    struct spare *s = p;

    if (i >= SIZES || (kept && kept->bytes >= KEPT_MAX)) {
        free(p);
        return;
    }
    if (!kept) {
        kept = xnew(struct kept);
        pthread_setspecific(at_exit, kept);
    }
    s->next = kept->first[i];
    kept->first[i] = s;
    kept->bytes += SMALLEST + i * STEP;
}

void json_own_memory(void)
{
    int r = pthread_key_create(&at_exit, drop);

    assert(r == 0);
    json_set_alloc_funcs(get, put);
}

#endif
