# SPDX-License-Identifier: LGPL-2.1-or-later
"""The controller of the virtual switches."""


def test_introduce_and_forget(xen, fails):
    for arguments, code in ((("ssl", "nowhere", "6632"), "INVALID_IP_ADDRESS_SPECIFIED"),
                            (("ssl", "10.0.0.1", "65536"), "VALUE_NOT_SUPPORTED"),
                            (("pssl", "10.0.0.1", "0"), "INVALID_VALUE")):
        fails(code, xen.SDN_controller.introduce, *arguments)
    one = xen.SDN_controller.introduce("ssl", "10.0.0.1")
    record = xen.SDN_controller.get_record(one)
    assert (record["protocol"], record["address"], record["port"]) == ("ssl", "10.0.0.1", "6632")
    fails("OPERATION_NOT_ALLOWED", xen.SDN_controller.introduce, "pssl")
    xen.SDN_controller.forget(one)
    assert xen.SDN_controller.get_all() == []
    other = xen.SDN_controller.introduce("pssl")
    xen.SDN_controller.forget(other)
    fails("HANDLE_INVALID", xen.SDN_controller.forget, other)
