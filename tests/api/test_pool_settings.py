# SPDX-License-Identifier: LGPL-2.1-or-later
"""Settings of the pool that are calls of their own, and what a pool of one host answers."""

import time
import xmlrpc.client

import pytest

NULL = "OpaqueRef:NULL"


@pytest.fixture
def pool(xen):
    return xen.pool.get_all()[0]


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


def date(seconds):
    return xmlrpc.client.DateTime(time.strftime("%Y%m%dT%H:%M:%SZ", time.gmtime(seconds)))


def test_directory_cache(xen, pool, fails):
    xen.pool.set_ext_auth_cache_enabled(pool, False)
    xen.pool.set_ext_auth_cache_size(pool, "7")
    xen.pool.set_ext_auth_cache_expiry(pool, "9")
    record = xen.pool.get_record(pool)
    assert record["ext_auth_cache_enabled"] is False
    assert (record["ext_auth_cache_size"], record["ext_auth_cache_expiry"]) == ("7", "9")
    assert fails("INVALID_VALUE", xen.pool.set_ext_auth_cache_size, pool, "0") == ["size", "0"]
    assert fails("INVALID_VALUE", xen.pool.set_ext_auth_cache_expiry, pool, "-1") == ["expiry", "-1"]
    xen.pool.set_ext_auth_cache_enabled(pool, True)


def test_telemetry(xen, pool, fails):
    soon = date(time.time() + 86400)
    xen.pool.set_telemetry_next_collection(pool, soon)
    assert xen.pool.get_telemetry_next_collection(pool) == soon
    fails("TELEMETRY_NEXT_COLLECTION_TOO_LATE", xen.pool.set_telemetry_next_collection, pool,
          date(time.time() + 200 * 86400))
    xen.pool.reset_telemetry_uuid(pool)
    first = xen.pool.get_telemetry_uuid(pool)
    assert len(xen.secret.get_value(first)) == 36
    xen.pool.reset_telemetry_uuid(pool)
    assert xen.pool.get_telemetry_uuid(pool) != first
    fails("HANDLE_INVALID", xen.secret.get_value, first)


def test_tls_verification(fresh_daemons):
    xen = fresh_daemons.client()
    pool, host = xen.pool.get_all()[0], xen.host.get_all()[0]
    assert xen.pool.get_tls_verification_enabled(pool) is False
    xen.pool.enable_tls_verification()
    assert xen.pool.get_tls_verification_enabled(pool) is True
    assert xen.host.get_tls_verification_enabled(host) is True


def test_old_ways(xen, pool, host, fails):
    xen.pool.disable_ssl_legacy(pool)
    assert xen.host.get_ssl_legacy(host) is False
    fails("HANDLE_INVALID", xen.pool.disable_ssl_legacy, host)
    xen.pool.disable_client_certificate_auth(pool)
    assert xen.pool.get_client_certificate_auth_enabled(pool) is False
    fails("HANDLE_INVALID", xen.pool.disable_client_certificate_auth, host)


def test_secure_boot(xen, pool):
    assert xen.pool.get_guest_secureboot_readiness(pool) == "not_ready"


def test_repositories(xen, pool, fails):
    made = [xen.Repository.introduce(f"r{i}", "", f"https://example.org/{i}", "", i == 0) for i in range(2)]
    xen.pool.set_repositories(pool, made)
    assert sorted(xen.pool.get_repositories(pool)) == sorted(made)
    assert fails("REPOSITORY_IS_IN_USE", xen.Repository.forget, made[0]) == []
    xen.pool.remove_repository(pool, made[0])
    assert xen.pool.get_repositories(pool) == [made[1]]
    xen.pool.add_repository(pool, made[0])
    xen.pool.add_repository(pool, made[0])
    assert sorted(xen.pool.get_repositories(pool)) == sorted(made)
    bundle = xen.Repository.introduce_bundle("all at once", "")
    fails("REPO_SHOULD_BE_SINGLE_ONE_ENABLED", xen.pool.add_repository, pool, bundle)
    fails("REPO_SHOULD_BE_SINGLE_ONE_ENABLED", xen.pool.set_repositories, pool, [bundle, made[0]])
    xen.pool.set_repositories(pool, [])
    for ref in [*made, bundle]:
        xen.Repository.forget(ref)
    fails("HANDLE_INVALID", xen.pool.add_repository, pool, made[0])


def test_repository_proxy(xen, pool, fails):
    xen.pool.configure_repository_proxy(pool, "http://proxy.example:3128", "me", "geheim")
    record = xen.pool.get_record(pool)
    assert (record["repository_proxy_url"], record["repository_proxy_username"]) == ("http://proxy.example:3128", "me")
    secret = record["repository_proxy_password"]
    assert xen.secret.get_value(secret) == "geheim"
    for bad in ("proxy.example:3128", "http://proxy.example", "http://a b:80", "http://x:80/path", "http://x:99999999"):
        assert fails("INVALID_REPOSITORY_PROXY_URL", xen.pool.configure_repository_proxy, pool, bad, "", "") == [bad]
    for user, word in (("me", ""), ("", "x"), ("a\nb", "x")):
        fails("INVALID_REPOSITORY_PROXY_CREDENTIAL", xen.pool.configure_repository_proxy, pool, "http://p:80", user, word)
    xen.pool.configure_repository_proxy(pool, "https://proxy.example:1", "", "")
    assert xen.pool.get_repository_proxy_password(pool) == NULL
    xen.pool.disable_repository_proxy(pool)
    assert xen.pool.get_repository_proxy_url(pool) == ""
    fails("HANDLE_INVALID", xen.secret.get_value, secret)


def test_update_sync(xen, pool, fails):
    xen.pool.configure_update_sync(pool, "weekly", "6")
    assert xen.pool.get_update_sync_day(pool) == "6"
    assert fails("INVALID_UPDATE_SYNC_DAY", xen.pool.configure_update_sync, pool, "weekly", "7") == ["7"]
    xen.pool.configure_update_sync(pool, "daily", "3")
    assert (xen.pool.get_update_sync_frequency(pool), xen.pool.get_update_sync_day(pool)) == ("daily", "0")


def test_failover_plan(xen, host, fails):
    vm = xen.VM.get_all()[0]
    assert xen.pool.ha_compute_vm_failover_plan([], [vm]) == {vm: {"host": host}}
    assert xen.pool.ha_compute_vm_failover_plan([host], [vm]) == {vm: {"error_code": "HOST_NOT_ENOUGH_FREE_MEMORY"}}
    assert xen.pool.ha_compute_hypothetical_max_host_failures_to_tolerate({vm: "restart"}) == "0"
    fails("HANDLE_INVALID", xen.pool.ha_compute_hypothetical_max_host_failures_to_tolerate, {host: "restart"})


def test_failures_to_tolerate(xen, pool, fails):
    xen.pool.set_ha_host_failures_to_tolerate(pool, "1")
    assert xen.pool.get_ha_host_failures_to_tolerate(pool) == "1"
    xen.pool.set_ha_host_failures_to_tolerate(pool, "0")
    fails("INVALID_VALUE", xen.pool.set_ha_host_failures_to_tolerate, pool, "-1")


def test_master(xen, pool, host, fails):
    xen.pool.designate_new_master(host)
    assert xen.pool.get_master(pool) == host
    fails("HANDLE_INVALID", xen.pool.designate_new_master, pool)
    assert xen.pool.hello(xen.host.get_uuid(host), "127.0.0.1") == "ok"
    assert xen.pool.hello("00000000-0000-0000-0000-000000000000", "127.0.0.1") == "unknown_host"
    fails("OPERATION_NOT_ALLOWED", xen.pool.eject, host)


def test_nothing_to_do(xen):
    assert xen.pool.recover_slaves() == []
    for call in (xen.pool.emergency_transition_to_master, xen.pool.rotate_secret, xen.pool.disable_redo_log,
                 xen.pool.enable_binary_storage, xen.pool.ha_schedule_plan_recomputation):
        call()


def test_refused(xen, pool, host, fails):
    for code, call, *args in (
            ("NOT_IMPLEMENTED", xen.pool.enable_client_certificate_auth, pool, "name"),
            ("OPERATION_NOT_ALLOWED", xen.pool.set_uefi_certificates, pool, ""),
            ("OPERATION_NOT_ALLOWED", xen.pool.set_custom_uefi_certificates, pool, ""),
            ("REPOSYNC_FAILED", xen.pool.sync_updates, pool, False),
            ("HA_NOT_INSTALLED", xen.pool.enable_ha, [], {}),
            ("HA_NOT_ENABLED", xen.pool.disable_ha),
            ("HA_NOT_ENABLED", xen.pool.ha_prevent_restarts_for, "1"),
            ("CANNOT_ENABLE_REDO_LOG", xen.pool.enable_redo_log, NULL),
            ("NOT_IMPLEMENTED", xen.pool.join, "h", "u", "p"),
            ("NOT_IMPLEMENTED", xen.pool.join_force, "h", "u", "p"),
            ("NOT_IMPLEMENTED", xen.pool.initial_auth),
            ("NOT_IMPLEMENTED", xen.pool.exchange_certificates_on_join, "u", "c"),
            ("NOT_IMPLEMENTED", xen.pool.exchange_ca_certificates_on_join, {}, []),
            ("NOT_IMPLEMENTED", xen.pool.exchange_trusted_certificates_on_join, pool, True, {}, []),
            ("NOT_IMPLEMENTED", xen.pool.exchange_crls_on_join, pool, {}, []),
            ("NOT_IMPLEMENTED", xen.pool.sync_trusted_certificates_from, pool, "p", NULL, "c", True),
            ("NOT_IN_EMERGENCY_MODE", xen.pool.emergency_reset_master, "h"),
            ("WLB_DISABLED", xen.pool.initialize_wlb, "u", "n", "p", "n", "p"),
            ("NOT_IMPLEMENTED", xen.pool.send_test_post, "h", "1", "b"),
            ("MESSAGE_REMOVED", xen.pool.test_archive_target, pool, {}),
            ("OPENVSWITCH_NOT_ACTIVE", xen.pool.set_vswitch_controller, "a")):
        fails(code, call, *args)


def test_audit_line(daemons, xen, fails):
    line = "another host saw this"
    xen.pool.audit_log_append(line)
    assert f"audit: {line}\n" in daemons.log("xenolithd")
    for bad in ("two\nlines", "x" * 5000):
        fails("INVALID_VALUE", xen.pool.audit_log_append, bad)
