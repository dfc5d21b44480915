# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures about the daemon."""

import pytest

from conftest import BUILD


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


def test_memory(xen, host, fails):
    xen.Diagnostics.gc_compact(host)
    used = int(xen.Diagnostics.gc_stats(host)["used_bytes"])
    assert used > 0 or BUILD.name != "build"  # sanitizers have an allocator of their own, which tells nothing
    fails("HANDLE_INVALID", xen.Diagnostics.gc_compact, "OpaqueRef:none")


def test_database(xen):
    before = {k: int(v) for k, v in xen.Diagnostics.db_stats().items()}
    ref = xen.secret.create({"value": "x", "other_config": {}})
    after = {k: int(v) for k, v in xen.Diagnostics.db_stats().items()}
    xen.secret.destroy(ref)
    assert after["commits"] > before["commits"] and after["objects"] > before["objects"]


def test_network(xen, host):
    def requests():
        return int(dict(xen.Diagnostics.network_stats(host, {}))["requests"])

    first = requests()
    assert requests() > first


def test_threads(xen, host):
    text = xen.host.get_thread_diagnostics(host)
    assert text.startswith("workers: ") and "plans: " in text
