# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transcripts of commands: what was typed, and what is printed for it, byte by byte.

    $ vm-create name-label=one        a command (words as a shell splits them); {names} stand for what is known
    > {vm=uuid}                       standard output; what fits is known as {vm} from here on
    ! Error: text                     standard error
    = 1                               the exit code, 0 unless it is said
    > *                               any further lines

A pattern is {uuid}, {int}, {float}, {time} or {any}, or {name=pattern}.
"""

import re
import shlex

PATTERNS = {"uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "int": r"-?[0-9]+", "float": r"[0-9]+\.[0-9]+",
            "time": r"[0-9]{8}T[0-9:]{8}Z", "any": r".*"}


class Case:
    def __init__(self, number, line):
        self.number, self.line = number, line
        self.out, self.err, self.code = [], [], 0

    @property
    def command(self):
        return self.line.split()[0]


def read(path):
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        mark, text = line[:1], line[2:]
        if mark == "$":
            cases.append(Case(number, text))
        elif mark == ">":
            cases[-1].out.append(text)
        elif mark == "!":
            cases[-1].err.append(text)
        elif mark == "=":
            cases[-1].code = int(text)
        elif mark not in ("", "#"):
            raise ValueError(f"{path}:{number}: {line}")
    return cases


def _fill(text, known):
    return re.sub(r"\{(\w+)\}", lambda m: known.get(m[1], m[0]), text)


def _pattern(line, known):
    """A regular expression for a line, with a group for each name it is to make known."""
    parts = re.split(r"(\{(?:\w+=)?\w+\})", line)
    found = ""
    for part in parts:
        m = re.fullmatch(r"\{(?:(\w+)=)?(\w+)\}", part)
        if not m:
            found += re.escape(part)
        elif m[2] in known and not m[1]:
            found += re.escape(known[m[2]])
        else:
            found += f"(?P<{m[1]}>{PATTERNS[m[2]]})" if m[1] else PATTERNS[m[2]]
    return found


def _fits(expected, text, known):
    rest = expected[-1:] == ["*"]
    lines = text.split("\n")
    if lines.pop() != "" and text:
        return False
    expected = expected[:-1] if rest else expected
    if len(lines) < len(expected) or (len(lines) > len(expected) and not rest):
        return False
    for want, line in zip(expected, lines):
        m = re.fullmatch(_pattern(want, known), line)
        if not m:
            return False
        known.update(m.groupdict())
    return True


def play(path, run, known):
    """What differs, as a text. run(args) has .out, .err and .code."""
    known = dict(known)
    wrong = []
    for case in read(path):
        result = run(*shlex.split(_fill(case.line, known)))
        if not (_fits(case.out, result.out, known) and _fits(case.err, result.err, known) and result.code == case.code):
            wrong.append(f"{path.name}:{case.number}: $ {_fill(case.line, known)}\n{result.out}{result.err}= {result.code}\n")
    return "\n".join(wrong)
