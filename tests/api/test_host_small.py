# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls of a host that change a row, ask a little, or have nothing to do."""

import http.client

import pytest

NONE = NULL = "OpaqueRef:NULL"


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


@pytest.fixture
def pool(xen):
    return xen.pool.get_all()[0]


def test_remove(xen, host, fails):
    assert fails("HOST_CANNOT_DESTROY_SELF", xen.host.destroy, host) == [host]
    assert fails("HOST_IS_LIVE", xen.host.declare_dead, host) == [host]
    fails("HANDLE_INVALID", xen.host.destroy, NONE)
    fails("HANDLE_INVALID", xen.host.declare_dead, NONE)


def test_power_on(xen, host, fails):
    fails("HOST_POWER_ON_MODE_DISABLED", xen.host.power_on, host)
    xen.host.set_power_on_mode(host, "wake-on-lan", {})
    assert fails("HOST_IS_LIVE", xen.host.power_on, host) == [host]
    xen.host.set_power_on_mode(host, "", {})


def test_heartbeat(xen, host, fails):
    assert xen.host.tickle_heartbeat(host, {"a": "b"}) == {}
    fails("HANDLE_INVALID", xen.host.tickle_heartbeat, NONE, {})


def test_quiet(xen, host, fails):
    for call, *more in ((xen.host.license_add, "AA=="), (xen.host.license_remove,), (xen.host.refresh_pack_info,),
                        (xen.host.sync_vlans,), (xen.host.sync_tunnels,),
                        (xen.host.sync_pif_currently_attached, []), (xen.host.apply_guest_agent_config,),
                        (xen.host.get_uncooperative_domains,)):
        assert call(host, *more) in ("", [])
        fails("HANDLE_INVALID", call, NONE, *more)


def test_among_hosts(xen, host, fails):
    for name, *more in (("prepare_for_poweroff",), ("request_backup", "1", True), ("copy_primary_host_certs",),
                        ("write_uefi_certificates_to_disk",), ("request_config_file_sync", ""), ("detach_static_vdis", []),
                        ("cleanup_pool_secret", "", "")):
        assert xen.call(f"host.{name}", host, *more) == ""
        fails("HANDLE_INVALID", xen.call, f"host.{name}", NONE, *more)


def test_ssl_legacy(xen, host, fails):
    xen.host.set_ssl_legacy(host, False)
    assert xen.host.get_ssl_legacy(host) is False
    fails("VALUE_NOT_SUPPORTED", xen.host.set_ssl_legacy, host, True)


def test_display(xen, host, fails):
    assert xen.host.enable_display(host) == "enabled"
    fails("HANDLE_INVALID", xen.host.enable_display, NONE)


def test_sched_gran(xen, host, fails):
    assert xen.host.get_sched_gran(host) == "cpu"
    xen.host.set_sched_gran(host, "cpu")
    fails("VALUE_NOT_SUPPORTED", xen.host.set_sched_gran, host, "core")


def test_license_params(xen, host):
    before = xen.host.get_license_params(host)
    xen.host.set_license_params(host, {**before, "note": "changed"})
    assert xen.host.get_license_params(host)["note"] == "changed"
    xen.host.set_license_params(host, before)


def test_caching(xen, host, pool, fails):
    sr = xen.pool.get_default_SR(pool)
    assert fails("SR_OPERATION_NOT_SUPPORTED", xen.host.enable_local_storage_caching, host, sr) == [sr]
    xen.host.disable_local_storage_caching(host)
    xen.pool.disable_local_storage_caching(pool)
    fails("HANDLE_INVALID", xen.host.disable_local_storage_caching, NONE)
    fails("HANDLE_INVALID", xen.pool.disable_local_storage_caching, NONE)


def test_health(xen):
    assert xen.call("host.ha_xapi_healthcheck") is True
    for call in ("local_assert_healthy", "signal_networking_change", "emergency_clear_mandatory_guidance"):
        xen.call(f"host.{call}")


def test_management(xen, host, fails):
    pifs = {r["device"]: (ref, r) for ref, r in xen.PIF.get_all_records().items()}
    (first, record), (second, other) = pifs["eth0"], pifs["eth1"]
    for call, good, bad in ((xen.host.management_reconfigure, first, second),
                            (xen.host.local_management_reconfigure, "eth0", "eth1"),
                            (xen.pool.management_reconfigure, record["network"], other["network"])):
        call(good)
        assert xen.PIF.get_management(first) and not xen.PIF.get_management(second)
        assert xen.host.get_address(host) == record["IP"]
        assert fails("PIF_HAS_NO_NETWORK_CONFIGURATION", call, bad) == [second]
    fails("INVALID_VALUE", xen.host.local_management_reconfigure, "nothing0")
    network = xen.network.create({"name_label": "n", "name_description": "", "MTU": "1500", "other_config": {}})
    assert fails("PIF_NOT_PRESENT", xen.pool.management_reconfigure, network) == [host, network]
    xen.network.destroy(network)


def test_tls_verification(fresh_daemons, fails):
    xen = fresh_daemons.client()
    host = xen.host.get_all()[0]
    off, on = "host.emergency_disable_tls_verification", "host.emergency_reenable_tls_verification"
    fails("TLS_VERIFICATION_NOT_ENABLED_IN_POOL", xen.call, off)
    fails("TLS_VERIFICATION_NOT_ENABLED_IN_POOL", xen.call, on)
    xen.pool.enable_tls_verification()
    xen.call(off)
    assert xen.host.get_tls_verification_enabled(host) is False
    told = [r for r in xen.message.get_all_records().values() if r["name"] == "TLS_VERIFICATION_EMERGENCY_DISABLED"]
    assert [(r["cls"], r["obj_uuid"]) for r in told] == [("Host", xen.host.get_uuid(host))]
    xen.call(on)
    assert xen.host.get_tls_verification_enabled(host) is True


def test_https_only(daemons, xen, host, pool):
    def status(method, path):
        c = http.client.HTTPConnection("127.0.0.1", daemons.http, timeout=30)
        c.request(method, path, body=b"<methodCall><methodName>system.listMethods</methodName></methodCall>"
                  if method == "POST" else None)
        return c.getresponse().status

    for call, ref in ((xen.host.set_https_only, host), (xen.pool.set_https_only, pool)):
        call(ref, True)
        assert (status("POST", "/"), status("GET", "/export_raw_vdi")) == (403, 403)
        assert xen.host.get_https_only(host) is True
        call(ref, False)
        assert status("POST", "/") == 200


def test_data_sources(xen, host, fails):
    found = {s["name_label"]: s for s in xen.host.get_data_sources(host)}
    total = int(xen.host_metrics.get_memory_total(xen.host.get_metrics(host))) / 1024
    assert found["memory_total_kib"]["value"] == total
    assert xen.host.query_data_source(host, "memory_total_kib") == total
    assert 0 < xen.host.query_data_source(host, "memory_free_kib") <= total
    assert fails("INVALID_VALUE", xen.host.query_data_source, host, "none") == ["data_source", "none"]


def test_sm_diagnostics(xen, host, pool):
    sr = xen.SR.get_uuid(xen.pool.get_default_SR(pool))
    assert f"SR {sr} " in xen.host.get_sm_diagnostics(host)


REFUSED = {
    "NOT_IMPLEMENTED": [
        ("send_debug_keys", "h", "q"), ("bugreport_upload", "h", "", {}),
        ("create", "", "", "", "", ""),
        ("propose_new_master", "", True), ("commit_new_master", ""), ("abort_new_master", ""), ("notify", "", ""),
        ("update_pool_secret", "h", ""), ("notify_accept_new_pool_secret", "h", "", ""),
        ("notify_send_new_pool_secret", "h", "", ""), ("update_master", "h", ""),
        ("attach_static_vdis", "h", {}), ("set_localdb_key", "h", "", ""),
        ("sm_dp_destroy", "h", "", True), ("mxgpu_vf_setup", "h"), ("nvidia_vf_setup", "h", NULL, True),
        ("cert_distrib_atom", "h", ""), ("update_firewalld_service_status",), ("set_max_cstate", "h", "")],
    "HA_NOT_ENABLED": [
        ("emergency_ha_disable",), ("ha_disarm_fencing", "h"), ("preconfigure_ha", "h", [], NULL, ""),
        ("ha_join_liveset", "h"), ("ha_disable_failover_decisions", "h"), ("ha_wait_for_shutdown_via_statefile", "h"),
        ("ha_stop_daemon", "h"), ("ha_release_resources", "h")],
    "HOST_CANNOT_READ_METRICS": [
        ("record_data_source", "h", ""), ("forget_data_source_archives", "h", ""), ("backup_rrds", "h", 0.0)],
    "OPERATION_NOT_ALLOWED": [("management_disable",), ("set_uefi_certificates", "h", "")],
    "FEATURE_RESTRICTED": [("disable_display", "h")],
    "NO_REPOSITORY_ENABLED": [("apply_updates", "h", "")],
}


def test_refused(xen, host, pool, fails):
    for code, calls in REFUSED.items():
        for name, *args in calls:
            fails(code, xen.call, f"host.{name}", *[host if a == "h" else a for a in args])
    fails("HOSTS_FAILED_TO_ENABLE_CACHING", xen.pool.enable_local_storage_caching, pool)
