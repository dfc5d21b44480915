# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the first start makes, later starts find again."""

import os
import signal
import subprocess

from conftest import PROGRAMS

HOUSE = ("pool", "host", "host_metrics", "host_cpu", "SR", "PBD", "SM", "network", "PIF", "PIF_metrics", "role", "VM",
         "VM_metrics")


def rows(client):
    """References and uuids of everything the first start makes."""
    found = {}
    for name in HOUSE:
        records = client.call(f"{name}.get_all_records")
        found[name] = {ref: r["uuid"] for ref, r in records.items()}
    return found


def test_second_start_changes_nothing(fresh_daemons):
    before = rows(fresh_daemons.client())
    assert all(before[name] for name in HOUSE if not name.startswith("PIF"))
    for sig in (signal.SIGTERM, signal.SIGKILL):
        fresh_daemons.stop(("xapi",), sig)
        fresh_daemons.start_xapi()
        client = fresh_daemons.ready()
        assert rows(client) == before
        assert all(p["currently_attached"] for p in client.PBD.get_all_records().values())


def test_machine_without_a_name(fresh_daemons):
    d = fresh_daemons
    d.stop(("xapi",))
    (d.state / "host.pem").unlink()
    renamed = d.state / "renamed"
    renamed.write_text("#!/bin/sh\nexec unshare --uts %s /usr/bin/python3 -c 'import os, socket, sys\n"
                       "socket.sethostname(\"(none)\")\nos.execv(sys.argv[1], sys.argv[1:])' '%s' \"$@\"\n"
                       % ("" if os.geteuid() == 0 else "--map-root-user", PROGRAMS["xenolithd"]))
    renamed.chmod(0o755)
    d.start_xapi(path=renamed)
    client = d.ready()
    assert "CN = localhost" in subprocess.run(["openssl", "x509", "-noout", "-subject", "-in", d.state / "host.pem"],
                                              capture_output=True, text=True, check=True).stdout
    assert client.host.get_all()


def test_disabled_host_stays_disabled_if_asked(fresh_daemons):
    def restart():
        fresh_daemons.stop(("xapi",))
        fresh_daemons.start_xapi()
        return fresh_daemons.ready()

    client = fresh_daemons.client()
    host = client.host.get_all()[0]
    client.host.disable(host)
    client = restart()
    assert client.host.get_enabled(host) is True
    client.host.disable(host, False)
    client = restart()
    assert client.host.get_enabled(host) is False
    client.host.enable(host)


def test_what_clients_wrote_is_kept(fresh_daemons):
    client = fresh_daemons.client()
    pool, host = client.pool.get_all()[0], client.host.get_all()[0]
    client.pool.set_name_label(pool, "mine")
    client.host.set_name_label(host, "my host")
    client.host.add_to_other_config(host, "k", "v")
    sr = client.pool.get_default_SR(pool)
    client.SR.set_name_label(sr, "my disks")
    pbd = client.SR.get_PBDs(sr)[0]
    client.PBD.unplug(pbd)
    token = client.call("event.from", ["pool", "SR"], "", 0.0)["token"]
    fresh_daemons.stop(("xapi",), signal.SIGKILL)
    fresh_daemons.start_xapi()
    client = fresh_daemons.ready()
    assert client.pool.get_name_label(pool) == "mine"
    assert client.host.get_name_label(host) == "my host"
    assert client.host.get_other_config(host)["k"] == "v"
    assert client.SR.get_name_label(sr) == "my disks"
    assert client.PBD.get_currently_attached(pbd) is False
    client.pool.set_name_label(pool, "mine again")
    events = client.call("event.from", ["pool", "SR"], token, 5.0)["events"]
    assert pool in [e["ref"] for e in events if e["operation"] == "mod"]
    assert not [e for e in events if e["operation"] == "del"]
