# SPDX-License-Identifier: LGPL-2.1-or-later
"""One server for all tests that do not need limits of their own."""

import pytest


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    from http_bed import serving  # needs the program, which other tests of this folder do not

    with serving(tmp_path_factory.mktemp("http")) as running:
        yield running
