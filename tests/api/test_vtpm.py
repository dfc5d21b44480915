# SPDX-License-Identifier: LGPL-2.1-or-later
"""Virtual TPMs: rows, and their state as secrets."""

import pytest

import vms


@pytest.fixture
def vm(xen):
    ref = vms.new_vm(xen, "trusted")
    yield ref
    for left in [v for v in xen.VM.get_all() if xen.VM.get_VTPMs(v)]:
        vms.remove(xen, left)
    vms.remove(xen, ref)


def test_create_and_destroy(xen, vm, fails):
    secrets = len(xen.secret.get_all())
    vtpm = xen.VTPM.create(vm, True)
    record = xen.VTPM.get_record(vtpm)
    assert (record["VM"], record["is_unique"], record["persistence_backend"]) == (vm, True, "xapi")
    assert xen.VM.get_VTPMs(vm) == [vtpm]
    assert fails("VTPM_MAX_AMOUNT_REACHED", xen.VTPM.create, vm, False) == ["1"]
    xen.VM.start(vm, False, False)
    fails("VM_BAD_POWER_STATE", xen.VTPM.destroy, vtpm)
    fails("VM_BAD_POWER_STATE", xen.VTPM.create, vm, False)
    xen.VM.hard_shutdown(vm)
    xen.VTPM.destroy(vtpm)
    assert xen.VM.get_VTPMs(vm) == []
    assert len(xen.secret.get_all()) == secrets
    fails("HANDLE_INVALID", xen.VTPM.destroy, vtpm)


def test_contents(xen, vm):
    vtpm = xen.VTPM.create(vm, False)
    assert xen.VTPM.get_contents(vtpm) == ""
    xen.VTPM.set_contents(vtpm, "state")
    assert xen.VTPM.get_contents(vtpm) == "state"


@pytest.mark.parametrize("unique", [False, True])
def test_copies(xen, vm, unique):
    secrets = len(xen.secret.get_all())
    xen.VTPM.set_contents(xen.VTPM.create(vm, unique), "then")
    snapshot = xen.VM.snapshot(vm, "s", [])
    clone = xen.VM.clone(vm, "c")
    assert [xen.VTPM.get_contents(v) for v in xen.VM.get_VTPMs(snapshot)] == ["then"]
    assert [xen.VTPM.get_contents(v) for v in xen.VM.get_VTPMs(clone)] == ["" if unique else "then"]
    xen.VTPM.set_contents(xen.VM.get_VTPMs(vm)[0], "now")
    xen.VM.revert(snapshot)
    assert [xen.VTPM.get_contents(v) for v in xen.VM.get_VTPMs(vm)] == ["then"]
    for ref in (clone, vm):
        vms.remove(xen, ref)
    assert len(xen.secret.get_all()) == secrets
