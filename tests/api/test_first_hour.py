# SPDX-License-Identifier: LGPL-2.1-or-later
"""The standard library's xmlrpc.client alone, over plain HTTP: nothing of this project's helpers."""

import xmlrpc.client


def test_a_guest_from_template_to_end(daemons):
    server = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{daemons.http}/")

    def value(reply):
        assert reply["Status"] == "Success", reply
        return reply["Value"]

    session = value(server.session.login_with_password("root", daemons.password))
    template = value(server.VM.get_by_name_label(session, "Debian Bookworm 12"))[0]
    vm = value(server.VM.clone(session, template, "first"))
    pool = value(server.pool.get_all(session))[0]
    sr = value(server.SR.get_uuid(session, value(server.pool.get_default_SR(session, pool))))
    disks = value(server.VM.get_other_config(session, vm))["disks"].replace('sr=""', f'sr="{sr}"')
    value(server.VM.remove_from_other_config(session, vm, "disks"))
    value(server.VM.add_to_other_config(session, vm, "disks", disks))
    value(server.VM.provision(session, vm))
    value(server.VM.start(session, vm, False, False))
    assert value(server.VM.get_power_state(session, vm)) == "Running"
    consoles = [value(server.console.get_record(session, c)) for c in value(server.VM.get_consoles(session, vm))]
    assert {c["protocol"] for c in consoles} == {"rfb", "vt100"} and all(c["VM"] == vm for c in consoles)
    value(server.VM.hard_shutdown(session, vm))
    snapshot = value(server.VM.snapshot(session, vm, "kept"))
    assert value(server.VM.get_snapshot_of(session, snapshot)) == vm
    for gone in (snapshot, vm):
        found = [value(server.VBD.get_VDI(session, b)) for b in value(server.VM.get_VBDs(session, gone))]
        value(server.VM.destroy(session, gone))
        for vdi in found:
            value(server.VDI.destroy(session, vdi))
    assert server.VM.get_record(session, vm)["ErrorDescription"] == ["HANDLE_INVALID", "VM", vm]
    value(server.session.logout(session))
