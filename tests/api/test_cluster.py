# SPDX-License-Identifier: LGPL-2.1-or-later
"""Corosync clusters: a feature that is off."""

import pytest


def test_restricted(xen, fails):
    pif, network, host = xen.PIF.get_all()[0], xen.network.get_all()[0], xen.host.get_all()[0]
    for call, arguments in ((xen.Cluster.create, (pif, "corosync", True)),
                            (xen.Cluster.pool_create, (network, "corosync")),
                            (xen.Cluster_host.create, ("OpaqueRef:NULL", host, pif))):
        assert fails("LICENCE_RESTRICTION", call, *arguments) == ["Corosync"]


@pytest.mark.parametrize("name", ["Cluster.destroy", "Cluster.pool_destroy", "Cluster.pool_force_destroy",
                                  "Cluster.get_network", "Cluster.pool_resync", "Cluster.cstack_sync",
                                  "Cluster_host.destroy", "Cluster_host.force_destroy", "Cluster_host.forget",
                                  "Cluster_host.enable", "Cluster_host.disable"])
def test_there_is_none(xen, fails, name):
    assert xen.Cluster.get_all() == xen.Cluster_host.get_all() == []
    fails("HANDLE_INVALID", xen.call, name, "OpaqueRef:none")
