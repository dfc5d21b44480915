# SPDX-License-Identifier: LGPL-2.1-or-later
"""Accounts of the host itself: hostd asks PAM.

hostd runs in a mount namespace of its own in which the files of accounts are ours, so that no
account of the machine is touched; without root the namespace belongs to a user namespace.
"""

import os
import shutil
import subprocess
import xmlrpc.client
from pathlib import Path

import pytest

from conftest import PROGRAMS, ROOT, Client, Daemons, XenError, a_pair

ACCOUNTS = {"root": (0, "a password of the host"), "operator": (1000, "something else")}
UNSHARE = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])


def hashed(password):
    return subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, check=True, capture_output=True,
                          text=True).stdout.strip()


def make_accounts(folder):
    """passwd, shadow and pam.d as a small host has them, with the service file that we ship."""
    with open(folder / "passwd", "w") as passwd, open(folder / "shadow", "w") as shadow:
        for name, (uid, password) in ACCOUNTS.items():
            passwd.write(f"{name}:x:{uid}:{uid}::/:/bin/sh\n")
            shadow.write(f"{name}:{hashed(password)}:19000:0:99999:7:::\n")
    services = folder / "pam.d"
    services.mkdir()
    shutil.copy(ROOT / "packaging/pam/xenolith", services)
    for kind in ("auth", "account"):
        (services / f"common-{kind}").write_text(f"{kind} required pam_unix.so\n")


class OnPam(Daemons):
    def __init__(self, state):
        super().__init__(state)
        self.etc = Path(state) / "etc"
        self.etc.mkdir()
        make_accounts(self.etc)

    def start_hostd(self):
        script = 'for f in passwd shadow pam.d; do mount --bind "$0/$f" "/etc/$f" || exit 77; done; exec "$@"'
        with open(self.logs / "xenolith-hostd.log", "ab") as log:
            self.hostd = subprocess.Popen(
                [*UNSHARE, "sh", "-c", script, self.etc, PROGRAMS["xenolith-hostd"], "--state", self.state, "--hv", "sim",
                 "--auth", "pam"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


@pytest.fixture(scope="module")
def host():
    if subprocess.run([*UNSHARE, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")
    with a_pair(OnPam) as d:
        d.start()
        yield d


def login(host, user, password):
    return Client(xmlrpc.client.ServerProxy(f"http://127.0.0.1:{host.http}/")).login(user, password)


def test_root_of_the_host_is_superuser(host):
    client = login(host, "root", ACCOUNTS["root"][1])
    assert client.call("session.get_is_local_superuser", client.session)
    assert client.call("pool.get_all")
    client.call("session.logout")


def test_wrong_password_or_user(host, fails):
    for user, password in (("root", "wrong"), ("root", ""), ("operator", ACCOUNTS["root"][1]), ("nobody", ""),
                           ("r" * 300, "x"), ("root", "x" * 2000)):
        fails("SESSION_AUTHENTICATION_FAILED", login, host, user, password)


def test_another_account_has_no_role(host, fails):
    """Whoever may log in to the host is not its master for that."""
    assert fails("SESSION_AUTHORIZATION_FAILED", login, host, "operator", ACCOUNTS["operator"][1])[0] == "operator"


def test_accounts_as_a_directory(host, fails):
    root = host.client()
    pool = root.pool.get_all()[0]
    root.pool.enable_external_auth(pool, {}, "accounts", "PAM")
    assert root.auth.get_subject_identifier("operator") == "u1000"
    assert root.auth.get_group_membership("u1000") == ["g1000"]
    info = root.auth.get_subject_information_from_identifier("u1000")
    assert (info["subject-name"], info["subject-is-group"]) == ("operator", "false")
    fails("SUBJECT_CANNOT_BE_RESOLVED", root.auth.get_subject_identifier, "nobody-of-here")
    group = root.subject.create({"subject_identifier": "g1000", "other_config": {}})
    fails("RBAC_PERMISSION_DENIED", login, host, "operator", ACCOUNTS["operator"][1])
    root.subject.add_to_roles(group, root.role.get_by_name_label("vm-operator")[0])
    client = login(host, "operator", ACCOUNTS["operator"][1])
    assert client.VM.get_all()
    fails("RBAC_PERMISSION_DENIED", client.call, "host.disable", root.host.get_all()[0])
    assert client.call("session.get_auth_user_sid", client.session) == "u1000"
    root.subject.destroy(group)
    fails("SESSION_INVALID", client.VM.get_all)
    root.pool.disable_external_auth(pool, {})


def test_passwords_are_changed_on_the_host(host, fails):
    client = login(host, "root", ACCOUNTS["root"][1])
    fails("CHANGE_PASSWORD_REJECTED", client.call, "session.change_password", ACCOUNTS["root"][1], "new")
    assert not (host.state / "password").exists() and not (host.state / "accounts").exists()
