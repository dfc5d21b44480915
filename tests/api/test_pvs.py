# SPDX-License-Identifier: LGPL-2.1-or-later
"""PVS: sites, servers, proxies and caches are records with rules."""

import pytest
from conftest import NULL

import vms


@pytest.fixture
def site(xen):
    ref = xen.PVS_site.introduce("site", "a remark", "")
    yield ref
    if ref in xen.PVS_site.get_all():
        record = xen.PVS_site.get_record(ref)
        for proxy in record["proxies"]:
            xen.PVS_proxy.destroy(proxy)
        for server in record["servers"]:
            xen.PVS_server.forget(server)
        xen.PVS_site.forget(ref)


@pytest.fixture
def vif(xen):
    vm = vms.new_vm(xen, "streamed")
    yield [vms.new_card(xen, vm, device) for device in "01"]
    vms.remove(xen, vm)


def test_site(xen, site, fails):
    assert xen.PVS_site.get_name_description(site) == "a remark"
    xen.PVS_site.set_PVS_uuid(site, "known to the servers")
    assert xen.PVS_site.get_PVS_uuid(site) == "known to the servers"
    xen.PVS_site.forget(site)
    fails("HANDLE_INVALID", xen.PVS_site.forget, site)


def test_server(xen, site, fails):
    server = xen.PVS_server.introduce(["10.0.0.1", "fd00::1"], "6910", "6930", site)
    assert xen.PVS_server.get_addresses(server) == ["10.0.0.1", "fd00::1"]
    assert fails("PVS_SITE_CONTAINS_SERVERS", xen.PVS_site.forget, site) == [server]
    assert fails("PVS_SERVER_ADDRESS_IN_USE", xen.PVS_server.introduce, ["10.0.0.1"], "1", "2", site) == ["10.0.0.1"]
    fails("INVALID_IP_ADDRESS_SPECIFIED", xen.PVS_server.introduce, ["nowhere"], "1", "2", site)
    fails("VALUE_NOT_SUPPORTED", xen.PVS_server.introduce, ["10.0.0.2"], "0", "2", site)
    fails("VALUE_NOT_SUPPORTED", xen.PVS_server.introduce, ["10.0.0.2"], "3", "2", site)
    fails("INVALID_VALUE", xen.PVS_server.introduce, [], "1", "2", site)
    xen.PVS_server.forget(server)
    assert xen.PVS_site.get_servers(site) == []


def test_proxy(xen, site, vif, fails):
    fails("PVS_VIF_MUST_BE_FIRST_DEVICE", xen.PVS_proxy.create, site, vif[1])
    proxy = xen.PVS_proxy.create(site, vif[0])
    assert xen.PVS_proxy.get_status(proxy) == "stopped"
    assert fails("PVS_PROXY_ALREADY_PRESENT", xen.PVS_proxy.create, site, vif[0]) == [proxy]
    assert fails("PVS_SITE_CONTAINS_RUNNING_PROXIES", xen.PVS_site.forget, site) == [proxy]
    xen.PVS_proxy.destroy(proxy)
    assert xen.PVS_site.get_proxies(site) == []


def test_proxy_goes_with_its_interface(xen, site, vif):
    proxy = xen.PVS_proxy.create(site, vif[0])
    xen.VIF.destroy(vif[0])
    assert proxy not in xen.PVS_proxy.get_all()


def test_cache_storage(xen, site, fails):
    host, sr = xen.host.get_all()[0], xen.SR.get_all()[0]

    def create(**more):
        return xen.PVS_cache_storage.create({"host": host, "SR": sr, "site": site, "size": str(1 << 30)} | more)

    cache = create()
    assert int(xen.PVS_cache_storage.get_size(cache)) == 1 << 30
    assert xen.PVS_site.get_cache_storage(site) == [cache]
    assert fails("PVS_CACHE_STORAGE_ALREADY_PRESENT", create) == [site, host]
    fails("HANDLE_INVALID", lambda: create(site=NULL))
    xen.PVS_cache_storage.destroy(cache)
    fails("INVALID_VALUE", lambda: create(size="0"))
    assert xen.PVS_site.get_cache_storage(site) == []
    create()
    xen.PVS_site.forget(site)
    assert xen.PVS_cache_storage.get_all() == []
