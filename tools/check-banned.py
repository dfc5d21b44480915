#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls that have no place in this project, and file descriptors that would leak into children."""

import re

from checklib import Findings, code_only, files, line_of, read

BANNED = {
    "strcpy strcat stpcpy sprintf vsprintf gets": "no bound: use base/str.h or snprintf",
    "strtok": "hidden state: use base/str.h",
    "atoi atol atoll atof": "no errors: use the parsers of base/str.h or value/number.h",
    "system popen": "no shell: start programs through base/spawn.h",
    "fork vfork clone": "a large process forks slowly: start programs through base/spawn.h",
    "malloc calloc realloc reallocarray strdup strndup asprintf vasprintf": "unchecked: use base/mem.h and base/str.h",
    "alloca": "unbounded stack",
    "tmpnam tempnam mktemp": "races",
    "gmtime localtime asctime ctime": "static buffers: use the _r forms",
    "rand srand random srandom": "time and randomness come from base/world.h",
    "signal": "differs between systems: use sigaction or signalfd",
}
SPAWNERS = "posix_spawn posix_spawnp execv execve execvp execvpe execl execlp execle fexecve"
# Where a banned call is the point of the file.
EXCEPTIONS = {
    ("src/base/mem.c", "malloc"), ("src/base/mem.c", "calloc"), ("src/base/mem.c", "realloc"),
    ("src/base/mem.c", "reallocarray"), ("src/base/mem.c", "strdup"), ("src/base/mem.c", "strndup"),
    ("src/base/mem.c", "vasprintf"), ("src/base/str.c", "vasprintf"),
    ("src/base/spawn.c", "clone"), ("src/base/spawn.c", "vfork"),
}
# Call -> word that must stand in its arguments, so that the descriptor is closed on exec.
CLOEXEC = {
    "open": "O_CLOEXEC", "openat": "O_CLOEXEC", "openat2": "O_CLOEXEC", "mkostemp": "O_CLOEXEC",
    "socket": "SOCK_CLOEXEC", "socketpair": "SOCK_CLOEXEC", "accept4": "SOCK_CLOEXEC",
    "pipe2": "O_CLOEXEC", "dup3": "O_CLOEXEC", "epoll_create1": "EPOLL_CLOEXEC", "eventfd": "EFD_CLOEXEC",
    "memfd_create": "MFD_CLOEXEC", "timerfd_create": "TFD_CLOEXEC", "signalfd": "SFD_CLOEXEC", "inotify_init1": "IN_CLOEXEC",
}
LEAKY = {
    "accept": "accept4", "pipe": "pipe2", "dup": "fcntl(F_DUPFD_CLOEXEC)", "epoll_create": "epoll_create1",
    "inotify_init": "inotify_init1", "mkstemp": "mkostemp", "creat": "open",
}
CALL = re.compile(r"(?<![\w.>])([a-z_][a-z0-9_]*)\(")
# "int open(" declares, it does not call: a type name stands before it.
DECLARED = re.compile(r"(?:^|[;{}\s])(?!return\b|else\b|do\b|case\b|sizeof\b)[A-Za-z_]\w*[ \t]+\**$")


def arguments(text, start):
    """Text between the parenthesis at start and its partner."""
    depth = 0
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return text[start + 1:position]
    return text[start + 1:]


def check_call(findings, path, text, match, banned):
    name, line = match.group(1), line_of(text, match.start())
    if DECLARED.search(text[max(0, match.start() - 80):match.start()]):
        return
    if name == "signal" and "SIG_IGN" in arguments(text, match.end() - 1):
        return  # ignoring a signal is the same everywhere
    if name in banned and (path, name) not in EXCEPTIONS:
        findings.add(path, line, f"{name}(): {banned[name]}")
    elif name in SPAWNERS.split() and path != "src/base/spawn.c":
        findings.add(path, line, f"{name}(): children start through base/spawn.h only")
    elif name in LEAKY:
        findings.add(path, line, f"{name}() leaks into children: use {LEAKY[name]}")
    elif name in CLOEXEC and CLOEXEC[name] not in (given := arguments(text, match.end() - 1)):
        # flags handed on in a variable are the caller's business
        if not re.search(r"\bflags\b|\bextra\b", given):
            findings.add(path, line, f"{name}() without {CLOEXEC[name]}")


def main():
    findings = Findings()
    banned = {name: why for names, why in BANNED.items() for name in names.split()}
    for path in files(".c", ".h", under="src/"):
        text = code_only(read(path), keep_strings=False)
        for match in CALL.finditer(text):
            check_call(findings, path, text, match, banned)
    findings.finish()


if __name__ == "__main__":
    main()
