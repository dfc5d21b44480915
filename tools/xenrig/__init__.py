# SPDX-License-Identifier: LGPL-2.1-or-later
"""The appliance under QEMU's emulation, where real Xen runs without hardware for it."""
