/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The parts of xenolith-verify: the store against the repositories against the running processes.
 *
 * Nothing is opened for itself: the store is read from a copy made at one moment, repositories and
 * domains are only looked at (storage/sr_look.h, hv/hv_look.h). So the check may run beside the
 * daemons; then what is under way between them is left out, and a finding counts only if two passes
 * in a row have it. One thread.
 */

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "model/store.h"

enum severity { NOTE, WARNING, ERROR, SEVERITY_MAX };

struct verify;

/* A repair says first what it would do (`what`), in the words after "would". */
struct repair {
    char *what;
    struct error *(*run)(struct verify *v, const char *subject);
    char *subject; /* path it works on */
};

struct finding {
    enum severity severity;
    const char *code; /* constant: "disk-without-row" */
    char *object;     /* uuid, reference or path */
    char *text;
    char *advice;
    struct repair repair; /* run NULL = there is none */
};

struct findings VEC(struct finding);

enum checked {
    CHECKED_ROWS,
    CHECKED_DISKS,
    CHECKED_IMAGES,
    CHECKED_DOMAINS,
    CHECKED_PROCESSES,
    CHECKED_REPOSITORIES,
    CHECKED_FILES,
    CHECKED_MAX
};

struct verify {
    char *state_dir; /* of xenolithd, resolved */
    char *host_dir;  /* of xenolith-hostd, resolved; often the same */
    char *run_dir;   /* of that, resolved */
    bool xapi_runs, hostd_runs;
    char *copy_dir;      /* of the store */
    char *stamp;         /* "20260131T120000Z": names of what repairs keep */
    struct store *store; /* of the copy */
    struct arena arena;
    /* uuids and references that a plan under way speaks of: between the worlds for a while */
    struct strmap planned;
    struct findings found;
    size_t checked[CHECKED_MAX];
};

/* report.c */
/* Text and advice are formatted from one format each; the finding may be given a repair. */
struct finding *add_finding(struct verify *v, enum severity s, const char *code, const char *object,
                            const char *fmt, ...) _printf_(5, 6);
/* What to do about it, for people. */
void advise(struct finding *f, const char *fmt, ...) _printf_(2, 3);
void offer(struct finding *f, struct error *(*run)(struct verify *v, const char *subject),
           const char *subject, const char *fmt, ...) _printf_(4, 5);
void findings_fini(struct findings *f);
/* Keeps those of `now` that `before` has too. */
void findings_confirm(struct findings *now, const struct findings *before);
size_t findings_count(const struct findings *f, enum severity at_least);
void report_json(const struct verify *v);
void report_text(const struct verify *v, bool quiet);

/* store_check.c: reads the copy, sets v->store; an error: nothing can be checked */
_must_check_ struct error *check_store(struct verify *v);
/* rows_check.c */
void check_rows(struct verify *v);
/* domain_check.c */
void check_domains(struct verify *v);
/* storage_check.c */
void check_storage(struct verify *v);
/* file_check.c */
void check_files(struct verify *v);

bool is_planned(const struct verify *v, const char *id);
/* A path below the state directory of xenolithd / of xenolith-hostd, from the arena. */
const char *state_path(struct verify *v, const char *fmt, ...) _printf_(2, 3);
const char *host_path(struct verify *v, const char *fmt, ...) _printf_(2, 3);

/* repair.c */
struct error *repair_mode(struct verify *v, const char *path);
/* Offers to move a file or directory of hostd out of the way, into set-aside-<time>/ in its state
 * directory; not while hostd runs, which may be using it. */
void offer_set_aside(const struct verify *v, struct finding *f, const char *path);
/* Writes what can be read of the store into a new one. */
struct error *repair_store(struct verify *v, const char *path);
/* Tells what each repair would do, and does it if `yes`, or if whoever sits at the terminal says
 * so. True: something was done. */
_must_check_ struct error *repair_all(struct verify *v, bool yes, bool *ret_done);
