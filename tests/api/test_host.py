# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host: what it says of itself, and the small calls."""

import re
import ssl
import time
from datetime import date, datetime, timezone

import pytest


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


def test_first_start(xen, host):
    record = xen.host.get_record(host)
    assert record["enabled"] is True
    assert record["hostname"] and record["name_label"]
    assert record["software_version"]["product_brand"] == "Xenolith"
    said = record["software_version"]
    assert {"product_version", "build_number", "dbv", "xapi", "hostname"} <= set(said)
    assert 0 <= (datetime.now(timezone.utc).date() - date.fromisoformat(said["date"])).days < 3660
    assert re.fullmatch(r"\d+\.\d+", said["db_schema"])
    assert int(record["cpu_info"]["cpu_count"]) == len(record["host_CPUs"]) > 0
    metrics = xen.host_metrics.get_record(record["metrics"])
    assert metrics["live"] is True
    assert int(metrics["memory_total"]) >= int(metrics["memory_free"]) > 0
    dom0 = xen.VM.get_record(record["control_domain"])
    assert dom0["is_control_domain"] and dom0["power_state"] == "Running"
    assert record["control_domain"] in record["resident_VMs"]
    assert len(record["PBDs"]) == 2
    for pbd in record["PBDs"]:
        assert xen.PBD.get_currently_attached(pbd) is True


def test_disable_and_enable(xen, host, fails):
    xen.host.disable(host)
    assert xen.host.get_enabled(host) is False
    assert "enable" in xen.host.get_allowed_operations(host)
    xen.host.enable(host)
    assert xen.host.get_enabled(host) is True
    fails("HANDLE_INVALID", xen.host.disable, "OpaqueRef:none")


def test_dmesg(xen, host, fails):
    assert isinstance(xen.host.dmesg(host), str)
    fails("HANDLE_INVALID", xen.host.dmesg, "OpaqueRef:none")


def test_list_methods(xen):
    assert "VM.start" in xen.host.list_methods()


def test_management_interface(xen, host, fails):
    found = [p for p, r in xen.PIF.get_all_records().items() if r["management"]]
    if found:
        assert xen.host.get_management_interface(host) == found[0]
    else:
        fails("HOST_HAS_NO_MANAGEMENT_IP", xen.host.get_management_interface, host)


def test_memory(xen, host, fails):
    total = int(xen.host_metrics.get_memory_total(xen.host.get_metrics(host)))
    assert 0 < int(xen.host.compute_free_memory(host)) <= total
    assert int(xen.host.compute_memory_overhead(host)) >= 0
    fails("HANDLE_INVALID", xen.host.compute_memory_overhead, "OpaqueRef:none")


def test_time(xen, host):
    said = datetime.strptime(str(xen.host.get_servertime(host)), "%Y%m%dT%H:%M:%SZ")
    assert abs(said.replace(tzinfo=timezone.utc).timestamp() - time.time()) < 60
    local = datetime.strptime(str(xen.host.get_server_localtime(host)), "%Y%m%dT%H:%M:%SZ")
    assert abs((local - said).total_seconds()) <= 15 * 3600


def test_plugins(xen, host, fails):
    assert fails("XENAPI_MISSING_PLUGIN", xen.host.call_plugin, host, "none", "main", {}) == ["none"]
    assert xen.host.has_extension(host, "none") is False
    fails("HANDLE_INVALID", xen.host.has_extension, "OpaqueRef:none", "none")


def test_evacuate(xen, host, fails):
    xen.host.assert_can_evacuate(host)
    assert xen.host.get_vms_which_prevent_evacuation(host) == {}
    assert xen.host.get_uncooperative_resident_VMs(host) == []
    xen.host.evacuate(host)
    assert xen.host.get_enabled(host) is False
    xen.host.enable(host)
    for call in (xen.host.assert_can_evacuate, xen.host.evacuate, xen.host.get_vms_which_prevent_evacuation,
                 xen.host.get_uncooperative_resident_VMs):
        fails("HANDLE_INVALID", call, "OpaqueRef:none")


def test_certificate(daemons, xen, host, fails):
    given = xen.host.get_server_certificate(host)
    assert given == ssl.get_server_certificate(("127.0.0.1", daemons.tls))
    assert "PRIVATE" not in given
    fails("HANDLE_INVALID", xen.host.get_server_certificate, "OpaqueRef:none")


def test_quiet_calls(xen, host, fails):
    xen.host.sync_data(host)
    fails("HANDLE_INVALID", xen.host.sync_data, "OpaqueRef:none")
    assert "system-status-capabilities" in xen.host.get_system_status_capabilities(host)
    assert xen.call("host.is_in_emergency_mode") is False


def test_fields(xen, host, fails):
    edition = xen.host.get_edition(host)
    xen.host.apply_edition(host, "other")
    assert xen.host.get_edition(host) == "other"
    xen.host.apply_edition(host, edition)
    xen.host.set_power_on_mode(host, "wake-on-lan", {"k": "v"})
    assert xen.host.get_power_on_config(host) == {"k": "v"}
    xen.host.set_power_on_mode(host, "", {})
    xen.host.set_iscsi_iqn(host, "iqn.2026-01.test:a")
    assert xen.host.get_iscsi_iqn(host) == "iqn.2026-01.test:a"
    xen.host.set_multipathing(host, True)
    assert xen.host.get_multipathing(host) is True
    xen.host.set_multipathing(host, False)
    xen.host.set_numa_affinity_policy(host, "best_effort")
    assert xen.host.get_numa_affinity_policy(host) == "best_effort"
    fails("HANDLE_INVALID", xen.host.set_multipathing, "OpaqueRef:NULL", True)
