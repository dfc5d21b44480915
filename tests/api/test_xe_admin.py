# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands of xe for the administrator of a host or pool, each against the call behind it."""

import re

import pytest
from test_certificate import Maker
from test_plugins import ECHO, install
from test_xe import UUID, WAYS, Xe


@pytest.fixture(params=WAYS)
def xe(daemons, request):
    return Xe(daemons.state, way=request.param)


@pytest.fixture
def host(xen):
    return xen.host.get_uuid(xen.host.get_all()[0])


def one(text):
    return UUID.search(text).group()


def test_secrets(xe):
    uuid = one(xe("secret-create", "value=geheim"))
    assert "geheim" in xe("secret-param-get", f"uuid={uuid}", "param-name=value")
    xe("secret-destroy", f"uuid={uuid}")


def test_plugin(daemons, xe, host):
    path = install(daemons, "plugins", "echo", ECHO)
    assert xe("host-call-plugin", f"host-uuid={host}", "plugin=echo", "fn=main", "args:text=hello") == "hello\n"
    failed = xe.run("host-call-plugin", f"host-uuid={host}", "plugin=echo", "fn=bad")
    assert failed.code == 1 and "MY_ERROR" in failed.err
    path.unlink()


def test_trust(xe, tmp_path):
    maker = Maker(tmp_path)
    (tmp_path / "ca.pem").write_text(maker.make()[0])
    (tmp_path / "crl.pem").write_text(maker.crl())
    xe("pool-install-ca-certificate", f"filename={tmp_path}/ca.pem")
    assert "ca.pem" in xe("pool-certificate-list")
    assert "ca" in xe("certificate-list")
    xe("pool-uninstall-ca-certificate", "name=ca.pem")
    xe("pool-crl-install", f"filename={tmp_path}/crl.pem")
    assert "crl.pem" in xe("pool-crl-list")
    xe("pool-crl-uninstall", "name=crl.pem")
    xe("pool-certificate-sync")


def test_people(xe, host):
    xe("pool-enable-external-auth", "auth-type=PAM", "service-name=accounts")
    try:
        uuid = one(xe("subject-add", "subject-name=root"))
        assert "subject-name: root" in xe("subject-list", f"uuid={uuid}")
        xe("subject-role-add", f"uuid={uuid}", "role-name=vm-admin")
        assert "vm-admin" in xe("subject-list", f"uuid={uuid}")
        xe("subject-role-remove", f"uuid={uuid}", "role-name=vm-admin")
        xe("subject-remove", f"subject-uuid={uuid}")
    finally:
        xe("pool-disable-external-auth")


def test_blob(xen, xe, tmp_path):
    pool = one(xe("pool-list", "params=uuid"))
    uuid = one(xe("blob-create", "name=notes", f"pool-uuid={pool}"))
    (tmp_path / "in").write_text("some notes")
    xe("blob-put", f"uuid={uuid}", f"filename={tmp_path}/in")
    xe("blob-get", f"uuid={uuid}", f"filename={tmp_path}/out")
    assert (tmp_path / "out").read_text() == "some notes"
    xen.blob.destroy(xen.blob.get_by_uuid(uuid))


def test_host(xe, host):
    assert "SR " in xe("host-get-sm-diagnostics", f"uuid={host}")
    assert "workers" in xe("host-get-thread-diagnostics", f"uuid={host}")
    assert re.search("memory_total_kib", xe("host-data-source-list", f"uuid={host}"))
    assert float(xe("host-data-source-query", f"uuid={host}", "data-source=memory_total_kib")) > 0
    assert "commits" in xe("diagnostic-db-stats")
    assert "requests" in xe("diagnostic-net-stats", f"uuid={host}")


def test_repositories(xe):
    uuid = one(xe("repository-introduce", "name-label=xe", "binary-url=https://example.org/xe", "source-url=", "update=true"))
    assert "xe" in xe("repository-list", f"uuid={uuid}")
    xe("repository-forget", f"uuid={uuid}")


def test_messages(xe, host):
    xe("message-create", "name=FROM_XE", "priority=4", "body=b", f"host-uuid={host}")
    uuid = one(xe("message-list", "name=FROM_XE", "params=uuid"))
    xe("message-destroy", f"uuids={uuid}")
