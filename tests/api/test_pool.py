# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pool of one host, as it is after the first start."""

import pytest


@pytest.fixture
def pool(xen):
    return xen.pool.get_all()[0]


def test_first_start(xen, pool):
    assert xen.pool.get_all() == [pool]
    record = xen.pool.get_record(pool)
    assert record["master"] == xen.host.get_all()[0]
    assert record["ha_enabled"] is False
    assert record["restrictions"]["restrict_vtpm"] == "false"
    assert record["cpu_info"]["cpu_count"]
    default = xen.SR.get_record(record["default_SR"])
    assert (default["name_label"], default["content_type"]) == ("Local storage", "user")
    assert int(default["physical_size"]) > 0
    assert record["suspend_image_SR"] == record["default_SR"]


def test_default_templates(xen):
    templates = xen.VM.get_all_records_where('field "is_default_template" = "true"')
    names = {t["name_label"] for t in templates.values()}
    assert {"Debian Bookworm 12", "Other install media", "Windows 11"} <= names
    assert all(t["is_a_template"] and t["power_state"] == "Halted" for t in templates.values())


def test_license(xen, pool):
    assert xen.pool.get_license_state(pool)["expiry"] == "never"
    xen.pool.apply_edition(pool, "any")
    assert xen.pool.get_license_state(pool)["edition"] == "any"
    xen.pool.apply_edition(pool, "free")


def test_quiet_calls(xen, pool, fails):
    host = xen.host.get_all()[0]
    xen.pool.sync_database()
    assert xen.pool.has_extension(pool, "none") is False
    assert xen.pool.is_slave(host) is False
    assert xen.pool.check_update_readiness(pool, False) == []
    assert int(xen.pool.ha_compute_max_host_failures_to_tolerate()) == 0
    assert xen.pool.ha_failover_plan_exists("1") is False
    assert xen.pool.ha_failover_plan_exists("0") is True
    fails("HANDLE_INVALID", xen.pool.get_license_state, host)
    fails("HANDLE_INVALID", xen.pool.has_extension, host, "none")
    fails("HANDLE_INVALID", xen.pool.is_slave, pool)
    fails("HANDLE_INVALID", xen.pool.check_update_readiness, host, False)


def test_guest_agent_config(xen, pool, fails):
    xen.pool.add_to_guest_agent_config(pool, "auto_update_enabled", "true")
    assert xen.pool.get_guest_agent_config(pool) == {"auto_update_enabled": "true"}
    fails("MAP_DUPLICATE_KEY", xen.pool.add_to_guest_agent_config, pool, "auto_update_enabled", "x")
    xen.pool.remove_from_guest_agent_config(pool, "auto_update_enabled")
    xen.pool.remove_from_guest_agent_config(pool, "auto_update_enabled")
    assert xen.pool.get_guest_agent_config(pool) == {}


def test_fields(xen, pool, fails):
    xen.pool.set_igmp_snooping_enabled(pool, False)
    fails("OPENVSWITCH_NOT_ACTIVE", xen.pool.set_igmp_snooping_enabled, pool, True)
    xen.pool.set_update_sync_enabled(pool, True)
    assert xen.pool.get_update_sync_enabled(pool) is True
    xen.pool.set_update_sync_enabled(pool, False)
    xen.pool.set_local_auth_max_threads(pool, "4")
    assert int(xen.pool.get_local_auth_max_threads(pool)) == 4
    fails("INVALID_VALUE", xen.pool.set_local_auth_max_threads, pool, "0")
    fails("INVALID_VALUE", xen.pool.set_ext_auth_max_threads, pool, "101")
    xen.pool.set_ext_auth_max_threads(pool, "2")


def test_default_sr_may_be_taken_away(xen, pool):
    sr = xen.pool.get_default_SR(pool)
    xen.pool.set_default_SR(pool, "")
    assert xen.pool.get_default_SR(pool) == "OpaqueRef:NULL"
    xen.pool.set_default_SR(pool, sr)
    assert xen.pool.get_default_SR(pool) == sr


def test_refused(xen, fails):
    fails("WLB_NOT_INITIALIZED", xen.pool.send_wlb_configuration, {})
    fails("WLB_NOT_INITIALIZED", xen.pool.retrieve_wlb_configuration)
    fails("WLB_NOT_INITIALIZED", xen.pool.retrieve_wlb_recommendations)
    fails("WLB_NOT_INITIALIZED", xen.pool.deconfigure_wlb)
    fails("WLB_NOT_INITIALIZED", xen.host.retrieve_wlb_evacuate_recommendations, xen.host.get_all()[0])
