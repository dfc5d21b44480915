# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands of xe about networks, schedules, appliances and devices."""

import pytest
from test_xe import WAYS, Xe

import nets
import vms


@pytest.fixture(params=WAYS)
def xe(daemons, request):
    return Xe(daemons.state, way=request.param)


def test_networks(xen, xe):
    with nets.networks(xen, 3) as made, nets.interfaces(xen, 2) as pifs:
        networks = [xen.network.get_uuid(ref) for ref in made]
        members = [xen.PIF.get_uuid(ref) for ref in pifs]
        pif = xe.line("vlan-create", f"pif-uuid={members[0]}", "vlan=7", f"network-uuid={networks[0]}")
        vlan = xe("vlan-list", f"untagged-PIF={pif}", "params=uuid", "--minimal").strip()
        assert xen.VLAN.get_tag(xen.VLAN.get_by_uuid(vlan)) == "7"
        xe("vlan-destroy", f"uuid={vlan}")
        access = xe.line("tunnel-create", f"pif-uuid={members[0]}", f"network-uuid={networks[1]}", "protocol=vxlan")
        tunnel = xe("tunnel-list", f"access-PIF={access}", "params=uuid", "--minimal").strip()
        xe("tunnel-destroy", f"uuid={tunnel}")
        bond = xe.line("bond-create", f"network-uuid={networks[2]}", f"pif-uuids={members[0]},{members[1]}", "mode=lacp",
                       "properties:lacp-time=fast")
        assert xen.Bond.get_properties(xen.Bond.get_by_uuid(bond))["lacp-time"] == "fast"
        xe("bond-set-mode", f"uuid={bond}", "mode=active-backup")
        xe("bond-destroy", f"uuid={bond}")
        xe("pif-reconfigure-ip", f"uuid={members[0]}", "mode=static", "IP=10.0.0.2", "netmask=255.255.255.0")
        assert xen.PIF.get_IP(pifs[0]) == "10.0.0.2"
    controller = xe.line("sdn-controller-introduce", "address=10.0.0.1", "protocol=ssl", "tcp-port=6633")
    assert xen.SDN_controller.get_port(xen.SDN_controller.get_by_uuid(controller)) == "6633"
    xe("sdn-controller-forget", f"uuid={controller}")


def test_appliance_and_schedule(xen, xe):
    vm = vms.new_vm(xen, "member")
    uuid = xen.VM.get_uuid(vm)
    appliance = xe.line("appliance-create", "name-label=shop")
    xe("vm-param-set", f"uuid={uuid}", f"appliance={appliance}")
    xe("appliance-start", f"uuid={appliance}")
    assert xen.VM.get_power_state(vm) == "Running"
    assert "memory" in xe("vm-data-source-list", f"uuid={uuid}")
    assert float(xe("vm-data-source-query", f"uuid={uuid}", "data-source=memory")) > 0
    xe("appliance-shutdown", f"uuid={appliance}", "force=true")
    assert xen.VM.get_power_state(vm) == "Halted"
    xe("appliance-destroy", f"uuid={appliance}")
    vmss = xe.line("vmss-create", "name-label=nightly", "type=snapshot", "frequency=daily", "schedule:min=0",
                   "schedule:hour=3")
    assert xen.VMSS.get_schedule(xen.VMSS.get_by_uuid(vmss)) == {"min": "0", "hour": "3"}
    xe("vmss-destroy", f"uuid={vmss}")
    group = xe.line("vm-group-create", "name-label=apart", "placement=anti_affinity")
    xe("vm-group-destroy", f"uuid={group}")
    vms.remove(xen, vm)


def test_devices(xen, xe):
    vm = vms.new_vm(xen, "equipped")
    uuid, host = xen.VM.get_uuid(vm), xen.host.get_uuid(xen.host.get_all()[0])
    xe("pusb-scan", f"host-uuid={host}")
    pusb = xe("pusb-list", "params=uuid", "--minimal").strip()
    xe("pusb-param-set", f"uuid={pusb}", "passthrough-enabled=true")
    usb_group = xe("usb-group-list", "params=uuid", "--minimal").strip()
    vusb = xe.line("vusb-create", f"usb-group-uuid={usb_group}", f"vm-uuid={uuid}")
    xe("vusb-destroy", f"uuid={vusb}")
    xe("pusb-param-set", f"uuid={pusb}", "passthrough-enabled=false")
    gpu_group = xe("gpu-group-list", "params=uuid", "--minimal").strip().split(",")[0]
    vgpu = xe.line("vgpu-create", f"vm-uuid={uuid}", f"gpu-group-uuid={gpu_group}")
    xe("vgpu-destroy", f"uuid={vgpu}")
    vtpm = xe.line("vtpm-create", f"vm-uuid={uuid}")
    xe("vtpm-destroy", f"uuid={vtpm}", "force=true")
    pci = xe("pci-list", "params=uuid", "--minimal").strip().split(",")[0]
    assert xe.line("pci-get-dom0-access-status", f"uuid={pci}") in ("enabled", "disabled")
    vms.remove(xen, vm)
