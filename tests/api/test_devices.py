# SPDX-License-Identifier: LGPL-2.1-or-later
"""PCI devices: found at the start."""


def by_id(xen):
    return {record["pci_id"]: (ref, record) for ref, record in xen.PCI.get_all_records().items()}


def test_found_at_the_start(xen):
    found = by_id(xen)
    assert sorted(found) == ["0000:00:02.0", "0000:00:17.0", "0000:03:00.0", "0000:03:00.1"]
    _, screen = found["0000:00:02.0"]
    assert (screen["class_id"], screen["vendor_id"], screen["device_name"]) == ("0300", "1234", "Screen")
    assert (screen["host"], screen["driver_name"]) == (xen.host.get_all()[0], "bochs-drm")
    card, sound = found["0000:03:00.0"], found["0000:03:00.1"]
    assert (card[1]["dependencies"], sound[1]["dependencies"]) == ([sound[0]], [card[0]])
    assert set(xen.host.get_PCIs(screen["host"])) == {ref for ref, _ in found.values()}


def test_dom0_access(xen, fails):
    found = by_id(xen)
    screen, card = found["0000:00:02.0"][0], found["0000:03:00.0"][0]
    pgpu = {record["PCI"]: ref for ref, record in xen.PGPU.get_all_records().items()}
    assert xen.PCI.get_dom0_access_status(screen) == "enabled"
    assert xen.PCI.get_dom0_access_status(card) == "disabled"
    assert xen.PCI.enable_dom0_access(screen) == "enabled"
    assert xen.PCI.disable_dom0_access(card) == "disabled"
    assert xen.PGPU.enable_dom0_access(pgpu[screen]) == "enabled"
    assert xen.PGPU.disable_dom0_access(pgpu[card]) == "disabled"
    for call, ref in ((xen.PCI.disable_dom0_access, screen), (xen.PCI.enable_dom0_access, card),
                      (xen.PGPU.disable_dom0_access, pgpu[screen]), (xen.PGPU.enable_dom0_access, pgpu[card])):
        fails("OPERATION_NOT_ALLOWED", call, ref)


def snapshot(client):
    """Rows of all device classes; the order within a set of references means nothing."""
    return {name: {ref: {k: sorted(v) if isinstance(v, list) else v for k, v in record.items()}
                   for ref, record in getattr(client, name).get_all_records().items()}
            for name in ("PCI", "PGPU", "PUSB", "GPU_group", "VGPU_type")}


def test_a_restart_finds_the_same(fresh_daemons):
    before = snapshot(fresh_daemons.client())
    assert all(before.values())
    fresh_daemons.stop()
    assert snapshot(fresh_daemons.start()) == before
