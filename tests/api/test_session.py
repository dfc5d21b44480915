# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logging in and out."""

import xmlrpc.client

from conftest import Client


def tcp(daemons):
    return Client(xmlrpc.client.ServerProxy(f"http://127.0.0.1:{daemons.http}/"))


def test_login_and_logout(daemons, fails):
    client = tcp(daemons).login("root", daemons.password)
    assert client.session.startswith("OpaqueRef:")
    record = client.call("session.get_record", client.session)
    assert record["is_local_superuser"] and record["originator"] == "tests"
    client.call("session.logout")
    assert fails("SESSION_INVALID", client.call, "VM.get_all") == [client.session]


def test_wrong_password(daemons, fails):
    client = tcp(daemons)
    assert fails("SESSION_AUTHENTICATION_FAILED", client.login, "root", "wrong")[0] == "root"
    fails("SESSION_AUTHENTICATION_FAILED", client.login, "nobody", daemons.password)
    fails("SESSION_AUTHENTICATION_FAILED", client.login, "root", "")


def test_local_session(daemons, fails):
    client = tcp(daemons)
    client.session = client.raw("session.slave_local_login_with_password", "root", daemons.password)
    client.call("session.local_logout")
    fails("SESSION_INVALID", client.call, "VM.get_all")


def test_subject_identifiers(xen):
    assert xen.call("session.get_all_subject_identifiers") == []
    xen.call("session.logout_subject_identifier", "S-1-5-21")


def test_change_password(fresh_daemons, fails):
    root = fresh_daemons.client()
    old = fresh_daemons.password
    root.call("session.change_password", old, "a new password")
    tcp(fresh_daemons).login("root", "a new password")
    fails("SESSION_AUTHENTICATION_FAILED", tcp(fresh_daemons).login, "root", old)


def test_unix_socket_needs_no_password(daemons):
    assert Client(daemons.server()).login("", "").session


def test_pool_logins(xen, fails):
    fails("SESSION_AUTHENTICATION_FAILED", xen.raw, "session.slave_login", xen.host.get_all()[0], "secret")
    fails("SESSION_AUTHENTICATION_FAILED", xen.raw, "session.slave_local_login", "secret")
    fails("NOT_IMPLEMENTED", xen.call, "session.create_from_db_file", "/tmp/x")
