# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the guest images that `make run` and the tests boot, from Debian's packages and without root."""
