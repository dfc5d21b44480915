# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guests leave on their host, to be compared: when they have gone, all is as it was before they came.

A line each, with its kind in front. Numbers that differ from guest to guest (domains, devices) stay in them: something left over
shows as a line that was not there before.
"""

import re

DISKS = "file of a disk"  # what halted guests keep

# Few programs, since each costs the emulated machine a part of a second: bash reads files by itself.
LOOK = r"""
show() { mapfile -t lines <"$1"; printf '%s\n' "${lines[@]}"; }
echo '== xenstore'; xenstore-ls -f /
echo '== domain'; xl list
echo '== mount'; show /proc/self/mounts
echo '== event channel'; show /proc/interrupts
echo '== interface'; for path in /sys/class/net/*; do echo "${path##*/}"; done
echo '== block device'; for path in /sys/block/nbd*/pid /sys/block/loop*/loop; do [ -e "$path" ] && echo "$path"; done
echo '== program'
for path in /proc/[0-9]*; do
    read -r name 2>/dev/null <"$path/comm" && echo "$name"
    case $name in xenolithd | xenolith-hostd | xenolith-libxl) fds+=" $path/fd" names+=" ${path##*/}=$name" ;; esac
done
echo '== open'; echo "$names"; find $fds -type l -printf '%h %l\n' 2>/dev/null
echo '== file'; find /run/xenolith-hostd /var/lib/xen /var/lib/xenolith-hostd/nvram /var/lib/xenolith-hostd/sr -mindepth 1 2>/dev/null
xl debug-keys g
echo '== messages'; xl dmesg
"""
PROGRAMS = re.compile(r"qemu|xenolith|xl|vif|block|pygrub|\d+\.")  # the last are blkback's threads


def grants(messages):
    """Active entries of the domains' grant tables by domain, as Xen put them at the end of its messages when it was asked by
    debug key g; None if the messages do not hold them whole. Domains without any are left out."""
    begin = messages.rfind("key 'g' pressed")
    said = messages[begin:].splitlines()
    if begin < 0 or not any(line.rstrip().endswith("] done") for line in said):
        return None
    active, domain = {}, None
    for line in said:
        if found := re.search(r"grant-table for remote d(?:omain:)?\s*(\d+)", line):
            domain = int(found[1])
        elif domain is not None and re.search(r"\[\s*(?:0x)?[0-9a-f]+\]\s+\d+ 0x", line):
            active[domain] = active.get(domain, 0) + 1
    return active


def _xenstore(lines):
    """Names only. Xen's tools make a few folders with the first guest ever."""
    names = (line.partition(" = ")[0] for line in lines)
    return [name for name in names if not re.fullmatch(r"/(libxl|vm|local/domain/0/(backend|device-model)(/[a-z0-9]+)?)", name)]


def _open_files(lines):
    """By program, numbers taken out. xenolithd's clients come and go; libxl keeps a pipe for as many callers as it ever had at once."""
    passing = {("xenolithd", "socket"), ("xenolith-libxl", "pipe")}
    names = dict(word.split("=") for word in lines[0].split())
    for line in lines[1:]:
        path, _, target = line.partition(" ")
        name = names[path.split("/")[2]]
        if (name, target.partition(":")[0]) not in passing:
            yield f"{name}: " + re.sub(r"\[\d+\]", "", target)


def read(text):
    """Sorted lines of what LOOK printed."""
    parts = {part.partition("\n")[0]: part.splitlines()[1:] for part in text.split("== ") if part}
    files = parts["file"]
    seen = {
        "xenstore": _xenstore(parts["xenstore"]),
        "domain": [" ".join(line.split()[:2]) for line in parts["domain"][1:]],
        "mount": [line.split()[1] for line in parts["mount"]],
        "event channel": [line.split()[-1] for line in parts["event channel"] if "xen-dyn" in line],
        "interface": parts["interface"],
        "block device": parts["block device"],
        "program": [name for name in parts["program"] if PROGRAMS.match(name)],
        "open": list(_open_files(parts["open"])),
        "file": [path for path in files if "/xenolith-hostd/sr/" not in path],
        DISKS: [path for path in files if "/xenolith-hostd/sr/" in path],
    }
    table = grants("\n".join(parts["messages"]))
    seen["grants"] = ["more than Xen's messages hold"] if table is None else [f"domain {d}, {n} entries" for d, n in table.items()]
    return sorted(f"{kind}: {line}" for kind, lines in seen.items() for line in lines)


def traces(rig):
    """All that there is now."""
    return read(rig.shell(LOOK))


def difference(before, now, without=()):
    """Lines that came ("+ ...") and went ("- ..."), kinds named in `without` left aside."""
    left = [line for line in now if line.partition(":")[0] not in without]
    gone = []
    for line in before:
        if line.partition(":")[0] in without:
            continue
        if line in left:
            left.remove(line)
        else:
            gone.append(line)
    return ["+ " + line for line in left] + ["- " + line for line in gone]
