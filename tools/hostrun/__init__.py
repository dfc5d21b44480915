# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `make run`, `make status` and `make stop` do: start both daemons as the caller, bring up a first guest by API calls."""
