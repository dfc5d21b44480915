# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of class Repository."""

PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


def test_introduce(xen, fails):
    ref = xen.Repository.introduce("base", "d", "https://example.org/b", "https://example.org/s", True, "key")
    record = xen.Repository.get_record(ref)
    assert (record["name_label"], record["name_description"]) == ("base", "d")
    assert (record["binary_url"], record["source_url"]) == ("https://example.org/b", "https://example.org/s")
    assert (record["update"], record["gpgkey_path"], record["origin"]) == (True, "key", "remote")
    assert fails("REPOSITORY_ALREADY_EXISTS", xen.Repository.introduce, "base", "", "https://x.org", "", True) == [ref]
    assert fails("REPOSITORY_ALREADY_EXISTS", xen.Repository.introduce, "b2", "", "https://example.org/b", "", True) == [ref]
    for url in ("ftp://example.org", "", "https://a b", "https://a'b"):
        assert fails("INVALID_BASE_URL", xen.Repository.introduce, "b2", "", url, "", True) == [url]
    for key in ("../key", "/etc/key", "a b", ".key"):
        assert fails("INVALID_GPGKEY_PATH", xen.Repository.introduce, "b2", "", "https://x.org", "", True, key) == [key]
        assert fails("INVALID_GPGKEY_PATH", xen.Repository.set_gpgkey_path, ref, key) == [key]
    xen.Repository.set_gpgkey_path(ref, "other")
    assert xen.Repository.get_gpgkey_path(ref) == "other"
    xen.Repository.forget(ref)
    fails("HANDLE_INVALID", xen.Repository.forget, ref)


def test_bundle(xen, fails):
    ref = xen.Repository.introduce_bundle("bundle", "d")
    assert xen.Repository.get_origin(ref) == "bundle"
    assert fails("BUNDLE_REPOSITORY_ALREADY_EXISTS", xen.Repository.introduce_bundle, "other", "") == [ref]
    xen.Repository.forget(ref)


def test_remote_pool(xen, fails):
    call = xen.Repository.introduce_remote_pool
    ref = call("pool", "d", "https://10.0.0.1/repository/enabled", PEM)
    record = xen.Repository.get_record(ref)
    assert (record["origin"], record["certificate"]) == ("remote_pool", PEM)
    fails("INVALID_BASE_URL", call, "p2", "", "http://10.0.0.2/repository/enabled", PEM)
    fails("INVALID_VALUE", call, "p2", "", "https://10.0.0.2/repository/enabled", "none")
    xen.Repository.forget(ref)


def test_refused(xen, fails):
    host = xen.host.get_all()[0]
    fails("NOT_IMPLEMENTED", xen.Repository.apply, host)
    fails("NOT_IMPLEMENTED", xen.Repository.apply_livepatch, host, "xen", "", "", "", "", "")
