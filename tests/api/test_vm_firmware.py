# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secure boot of UEFI guests."""

import pytest

from vms import new_vm, remove


@pytest.fixture
def vm(xen):
    ref = new_vm(xen, "firm")
    yield ref
    remove(xen, ref)


def test_readiness(xen, vm):
    xen.VM.set_HVM_boot_params(vm, {"firmware": "bios"})
    assert xen.VM.get_secureboot_readiness(vm) == "not_supported"
    xen.VM.set_HVM_boot_params(vm, {"firmware": "uefi"})
    assert xen.VM.get_secureboot_readiness(vm) == "disabled"
    xen.VM.set_platform(vm, {"secureboot": "true"})
    assert xen.VM.get_secureboot_readiness(vm) == "first_boot"
    xen.VM.set_NVRAM_EFI_variables(vm, "AAAA")
    assert xen.VM.get_secureboot_readiness(vm) == "setup_mode"


def test_uefi_mode(xen, vm, fails):
    xen.VM.set_HVM_boot_params(vm, {"firmware": "bios"})
    fails("OPERATION_NOT_ALLOWED", xen.VM.set_uefi_mode, vm, "setup")
    xen.VM.set_HVM_boot_params(vm, {"firmware": "uefi"})
    xen.VM.set_NVRAM_EFI_variables(vm, "AAAA")
    assert xen.VM.set_uefi_mode(vm, "setup") == ""
    assert "EFI-variables" not in xen.VM.get_NVRAM(vm)
    fails("OPERATION_NOT_ALLOWED", xen.VM.set_uefi_mode, vm, "user")
    xen.VM.start(vm, False, False)
    fails("VM_BAD_POWER_STATE", xen.VM.set_uefi_mode, vm, "setup")


def test_certificates(xen, vm, fails):
    assert xen.VM.get_secureboot_certificates_state(vm) == "ok"
    fails("OPERATION_NOT_ALLOWED", xen.VM.update_secureboot_certificates_on_boot, vm, True)
    fails("HANDLE_INVALID", xen.VM.update_secureboot_certificates_on_boot, "OpaqueRef:none", True)
