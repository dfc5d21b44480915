/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/collector.h"

#include "base/log.h"
#include "base/ticker.h"
#include "storage/sr.h"

/* Half of what a cheap disk does: guests keep the other half. */
#define BYTES_PER_SECOND (100ll << 20)

static bool is_stopping(void *ticker)
{
    return ticker_is_stopping(ticker);
}

static void on_failure(void *arg, const char *sr, struct error *e)
{
    log_and_free(LOG_WARNING, e, "cannot merge images of SR %s", sr);
}

static void collect(void *storage, struct ticker *t)
{
    const struct sr_collect how = {
        .bytes_per_second = BYTES_PER_SECOND, .cancelled = is_stopping, .arg = t};

    sr_collect_all(storage, &how, on_failure, NULL);
}

struct error *collector_start(struct storage *s, int64_t pause_us, struct ticker **ret)
{
    return ticker_start(pause_us, collect, s, ret);
}
