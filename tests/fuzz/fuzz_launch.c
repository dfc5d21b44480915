/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Launch records, which come back from xenolithd with a resume: what is taken goes into QEMU's
 * arguments, so it is one of few words, and is the same when it is written. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "hv/qemu/record.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hv_caps caps = {.accelerator = "tcg"};
    _cleanup_free_ char *text = xmemdup0((const char *)data, size);
    struct machine m, again;
    _cleanup_error_ struct error *e = machine_parse(text, &caps, &m);

    if (e)
        return 0;
    assert(strspn(m.type, "pcq35-0123456789.") == strlen(m.type) && strlen(m.type) < 20);
    assert(streq(m.cpu, "host") || streq(m.cpu, "max"));
    assert(streq(m.accel, "tcg") && m.nic_ports >= 0 && m.nic_ports <= HV_MAX_NICS);
    _cleanup_free_ char *written = machine_text(&m);

    e = machine_parse(written, &caps, &again);
    assert(!e && streq(m.type, again.type) && m.sata == again.sata);
    return 0;
}
