# SPDX-License-Identifier: LGPL-2.1-or-later
"""What programs of others are known to call must be there, and work."""

from works import MISSING, called, refused, status


def run(schema):
    hopeless = {m.wire for m in refused(schema)}
    for client, table in schema.clients.items():
        where = f"clients.toml: [{client}]"
        if "messages" not in table or "doc" not in table:
            schema.problems.add(where, "'doc' and 'messages' are needed")
        for text in table.get("messages", []):
            found = called(schema, text)
            if not found:
                schema.problems.add(where, f"there is no message '{text}'")
            for m in found:
                if m.wire in hopeless:
                    schema.problems.add(where, f"{m.wire} is {'missing' if status(m) == MISSING else 'refused'}")
