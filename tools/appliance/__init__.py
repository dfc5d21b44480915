# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes Debian packages of the tree, and a disk image that boots Xen with them. Needs no root."""
