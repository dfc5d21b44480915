# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every request of the XenAPI that is no call: who may, and what those that nobody has written answer."""

import time
import tomllib

import pytest

from conftest import ROOT, XenError
from test_directory import People
from transfers import Reply, ask, connect_tcp, head

ACTIONS = {name: a for name, a in tomllib.loads((ROOT / "schema/http.toml").read_text()).items()
           if a.get("rbac_checked", True)}
MISSING = [name for name, a in ACTIONS.items() if "test" not in a]


@pytest.mark.parametrize("name", ACTIONS)
def test_nobody(daemons, name):
    """Without a session: the name of the action is what a password is asked for."""
    s = connect_tcp(daemons)
    s.sendall(head(ACTIONS[name]["method"], ACTIONS[name]["uri"], 0))
    reply = Reply(s)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, f'Basic realm="{name}"')


@pytest.mark.parametrize("name", MISSING)
def test_not_written_yet(daemons, xen, name):
    method, uri = ACTIONS[name]["method"], ACTIONS[name]["uri"]
    task = xen.task.create("t", "")
    reply = ask(daemons, method, uri + "/", length=0, session_id=xen.session, task_id=task)
    assert (reply.status, b"NOT_IMPLEMENTED" in reply.body()) == (501, True)
    with pytest.raises(XenError) as caught:
        xen.wait(task)
    assert (caught.value.code, caught.value.params) == ("NOT_IMPLEMENTED", [f"{method} {uri}"])


ROLES = tomllib.loads((ROOT / "schema/roles.toml").read_text())


@pytest.mark.parametrize("role", [name for name, r in ROLES["roles"].items() if not r.get("internal")])
def test_roles(fresh_daemons, role):
    """Each role may what the schema says, and nothing else."""
    people = People(fresh_daemons)
    people.xen.pool.enable_external_auth(people.pool, {}, "accounts", "PAM")
    who = people.xen.auth.get_subject_identifier("anna")
    subject = people.xen.subject.create({"subject_identifier": who, "other_config": {}})
    people.xen.subject.add_to_roles(subject, people.xen.role.get_by_name_label(role)[0])
    anna = people.login()
    for name, action in ACTIONS.items():
        s = connect_tcp(fresh_daemons)
        s.sendall(head(action["method"], action["uri"], 0, session_id=anna.session))
        reply = Reply(s)
        may = role in ROLES["sets"][action["roles"]]
        assert (reply.status == 403) == (not may), (name, reply.status)
        if not may:
            assert b"RBAC_PERMISSION_DENIED" in reply.body() and f"http/{name}".encode() in reply.body()
        s.close()
    if role == "read-only":
        denied_tasks_end(fresh_daemons, people.xen, anna)


def denied_tasks_end(daemons, root, anna):
    """The task that was given fails with it, if it is theirs."""
    mine, others = anna.task.create("mine", ""), root.task.create("of somebody else", "")
    for task in (mine, others):
        with connect_tcp(daemons) as s:
            s.sendall(head("PUT", "/import_raw_vdi", 0, session_id=anna.session, task_id=task))
            assert Reply(s).status == 403
    assert root.task.get_status(others) == "pending"
    assert root.task.get_status(mine) == "failure" and root.task.get_error_info(mine)[0] == "RBAC_PERMISSION_DENIED"


def test_services(daemons, xen):
    for path in ("/services", "/services/"):
        reply = ask(daemons, "GET", path, session_id=xen.session)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/html") and b"<ul></ul>" in reply.body()
    assert ask(daemons, "GET", "/services/plugin/x", session_id=xen.session).status == 404


def test_updates(daemons, xen):
    host, = xen.host.get_all()
    for query, status, code in (({}, 404, b"NO_REPOSITORY_ENABLED"), ({"host_refs": f"{host};{host}"}, 404, b"NO_REPOSITORY"),
                                ({"host_refs": f"{host};OpaqueRef:none"}, 400, b"HANDLE_INVALID")):
        reply = ask(daemons, "GET", "/updates", session_id=xen.session, **query)
        assert (reply.status, code in reply.body()) == (status, True)
    assert b"HANDLE_INVALID: [ host; OpaqueRef:none ]" in reply.body()


def test_few_large_ones_at_a_time(daemons, xen):
    """Who keeps much in memory has one of four places; the next one is told, and comes in when one has gone."""
    body = bytes(512)
    held = []
    for i in range(4):
        s = connect_tcp(daemons)
        s.sendall(head("PUT", "/import_metadata", 1 << 20, session_id=xen.session))
        assert Reply(s).status == 200
        held.append(s)
    assert ask(daemons, "GET", "/host_backup", session_id=xen.session).status == 503
    reply = ask(daemons, "PUT", "/import_metadata", length=len(body), session_id=xen.session)
    assert reply.status == 503 and b"TOO_MANY_PENDING_TASKS" in reply.body()
    assert ask(daemons, "GET", "/audit_log", session_id=xen.session).status == 200
    for s in held:
        s.close()
    end = time.monotonic() + 30
    while ask(daemons, "GET", "/export_metadata", all="true", session_id=xen.session).status != 200:
        assert time.monotonic() < end
