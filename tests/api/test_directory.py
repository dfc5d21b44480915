# SPDX-License-Identifier: LGPL-2.1-or-later
"""People of a directory, here the accounts of the state directory: who they are and what they may do."""

import subprocess
import time
import xmlrpc.client

import pytest

from conftest import Client, XenError, a_pair

READ_ONLY = "OpaqueRef:7233b8e3-eacb-d7da-2c95-f2e581cdbf4e"
VM_ADMIN = "vm-admin"


class People:
    def __init__(self, daemons):
        self.daemons, self.xen = daemons, daemons.client()
        self.pool, self.host = self.xen.pool.get_all()[0], self.xen.host.get_all()[0]
        hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input="her word", check=True,
                                capture_output=True, text=True).stdout.strip()
        with open(daemons.state / "accounts", "a") as f:
            f.write(f"anna:{hashed}\n")

    def login(self, user="anna", word="her word"):
        return Client(xmlrpc.client.ServerProxy(f"http://127.0.0.1:{self.daemons.http}/")).login(user, word)


@pytest.fixture
def people(fresh_daemons):
    return People(fresh_daemons)


def test_on_and_off(people, fails):
    xen, host, pool = people.xen, people.host, people.pool
    for calls, ref, on in ((xen.host, host, "AUTH"), (xen.pool, pool, "POOL_AUTH")):
        fails("AUTH_UNKNOWN_TYPE", calls.enable_external_auth, ref, {}, "s", "NIS")
        fails(f"{on}_ENABLE_FAILED", calls.enable_external_auth, ref, {}, "example.org", "AD")
        assert xen.host.get_external_auth_type(host) == ""
        calls.enable_external_auth(ref, {"user": "u", "pass": "geheim"}, "accounts", "PAM")
        record = xen.host.get_record(host)
        assert (record["external_auth_type"], record["external_auth_service_name"]) == ("PAM", "accounts")
        assert record["external_auth_configuration"] == {"user": "u"}
        fails(f"{on}_ALREADY_ENABLED", calls.enable_external_auth, ref, {}, "accounts", "PAM")
        calls.disable_external_auth(ref, {})
        assert xen.host.get_external_auth_type(host) == ""
    xen.pool.detect_nonhomogeneous_external_auth(pool)
    fails("HANDLE_INVALID", xen.pool.detect_nonhomogeneous_external_auth, host)


def test_ldaps(people, fails):
    xen, host, pool = people.xen, people.host, people.pool
    for calls, ref in ((xen.host, host), (xen.pool, pool)):
        fails("AUTH_IS_DISABLED", calls.external_auth_set_ldaps, ref, True)
    xen.pool.enable_external_auth(pool, {}, "accounts", "PAM")
    for calls, ref in ((xen.host, host), (xen.pool, pool)):
        calls.external_auth_set_ldaps(ref, False)
        assert fails("AUTH_SET_LDAPS_FAILED", calls.external_auth_set_ldaps, ref, True)[0] == host


def test_questions(people, fails):
    xen = people.xen
    for call in (xen.auth.get_subject_identifier, xen.auth.get_subject_information_from_identifier,
                 xen.auth.get_group_membership):
        fails("AUTH_IS_DISABLED", call, "anna")
    xen.pool.enable_external_auth(people.pool, {}, "accounts", "PAM")
    who = xen.auth.get_subject_identifier("anna")
    assert who == "u:anna"
    info = xen.auth.get_subject_information_from_identifier(who)
    assert (info["subject-name"], info["subject-sid"], info["subject-is-group"]) == ("anna", who, "false")
    assert xen.auth.get_group_membership(who) == []
    for bad in ("", "nobody", "x" * 1000, "anna\nroot", "u:anna:x"):
        fails("SUBJECT_CANNOT_BE_RESOLVED", xen.auth.get_subject_identifier, bad)


def test_roles_of_a_login(people, fails):
    xen = people.xen
    fails("SESSION_AUTHORIZATION_FAILED", people.login)  # no directory is in use
    xen.pool.enable_external_auth(people.pool, {}, "accounts", "PAM")
    assert fails("SESSION_AUTHORIZATION_FAILED", people.login)[0] == "anna"
    who = xen.subject.create({"subject_identifier": xen.auth.get_subject_identifier("anna"), "other_config": {}})
    assert fails("RBAC_PERMISSION_DENIED", people.login)[0] == "anna"  # a subject, but without a role
    fails("SESSION_AUTHENTICATION_FAILED", people.login, "anna", "another word")
    xen.subject.add_to_roles(who, READ_ONLY)
    anna = people.login()
    assert anna.VM.get_all()
    row = anna.call("session.get_record", anna.session)
    assert (row["subject"], row["auth_user_sid"], row["is_local_superuser"]) == (who, "u:anna", False)
    fails("RBAC_PERMISSION_DENIED", anna.call, "VM.create", {})
    fails("RBAC_PERMISSION_DENIED", anna.call, "host.disable", people.host)
    xen.subject.add_to_roles(who, xen.role.get_by_name_label(VM_ADMIN)[0])
    fails("SESSION_INVALID", anna.VM.get_all)  # it had the roles of before
    anna = people.login()
    secret = [t for t, r in xen.VM.get_all_records().items() if r["is_a_template"]][0]
    anna.call("VM.set_name_description", secret, "hers")
    fails("RBAC_PERMISSION_DENIED", anna.call, "host.disable", people.host)
    assert xen.call("session.get_all_subject_identifiers") == ["u:anna"]
    xen.pool.disable_external_auth(people.pool, {})
    fails("SESSION_INVALID", anna.VM.get_all)
    fails("SESSION_AUTHORIZATION_FAILED", people.login)


def test_who_is_gone_is_logged_out(fails):
    with a_pair() as daemons:
        daemons.start_hostd()
        daemons.start_xapi(["--directory-check", "0.1"])
        daemons.ready()
        people = People(daemons)
        xen, accounts = people.xen, daemons.state / "accounts"
        xen.pool.enable_external_auth(people.pool, {}, "accounts", "PAM")
        who = xen.subject.create({"subject_identifier": "u:anna", "other_config": {}})
        xen.subject.add_to_roles(who, READ_ONLY)
        anna = people.login()
        begun = anna.call("session.get_validation_time", anna.session)
        end = time.monotonic() + 30
        while anna.call("session.get_validation_time", anna.session) == begun:  # in whole seconds
            assert time.monotonic() < end
            time.sleep(0.05)
        accounts.write_text("".join(line for line in accounts.open() if not line.startswith("anna:")))
        with pytest.raises(XenError) as gone:
            while time.monotonic() < end:
                anna.VM.get_all()
                time.sleep(0.02)
        assert gone.value.code == "SESSION_INVALID"
        assert xen.VM.get_all()  # who is not from the directory is not looked for there
