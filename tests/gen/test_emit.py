# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the generator writes for the tiny schema."""

import os
import re
import subprocess

import main
import works
import xe
from conftest import NUDGE, SHAKE

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def generate(tiny, *more):
    out = tiny.folder / "out" / "gen"
    assert main.main(["--schema", str(tiny.folder), "--out", str(out), *more]) == 0
    return out


def messages(tiny):
    schema = main.build(str(tiny.folder))
    assert schema.problems.texts == []
    return {m.wire: m for cls in schema.classes.values() for m in cls.messages}


def test_implicit_messages_follow_from_fields(tiny):
    box = {n for n in messages(tiny) if n.startswith("Box.")}
    assert box == {"Box." + n for n in (
        "shake", "get_record", "get_by_uuid", "create", "destroy", "get_uuid", "get_color",
        "set_color", "get_labels", "set_labels", "add_to_labels", "remove_from_labels",
        "get_balls", "get_weight")}


def test_internal_fields_have_no_messages(tiny):
    tiny.append("classes/Ball.toml", '\n[fields.seam]\ndoc = "x"\ntype = "int"\nq = "RW"\n'
                                     "internal = true\nours = true\n")
    assert not any("seam" in n for n in messages(tiny))


def test_create_takes_what_can_be_set(tiny):
    schema = main.build(str(tiny.folder))
    ctor = {f.name: f.ctor for f in schema.classes["Box"].fields}
    assert ctor == {"uuid": "", "color": "required", "labels": "optional", "balls": "",
                    "weight": ""}


def test_prefixes_of_paths_are_dependencies(tiny):
    out = generate(tiny)
    assert "box_derived_fields" not in (out / "derive.c").read_text()
    tiny.spoil("classes/Box.toml", 'derived = "weight"', 'derived = "weight"\nbody = true')
    text = (generate(tiny) / "derive.c").read_text()
    paths = [line.split("/* ")[1].split(" */")[0] for line in text.splitlines()
             if line.startswith("    {") and "/* " in line]
    assert paths == ["color", "balls", "balls.weight", "labels/heavy"]


def test_body_is_called_only_when_written(tiny):
    text = (generate(tiny) / "dispatch.c").read_text()
    assert "api_box_shake" not in text
    row = next(line for line in text.splitlines() if '.name = "Box.shake"' in line)
    # What dispatch answers with NOT_IMPLEMENTED: neither body nor refusal, and not served from tables.
    assert ".body" not in row and ".refusal" not in row and "MSG_GENERIC" not in row
    assert "MSG_GENERIC" in next(line for line in text.splitlines() if '.name = "Box.get_color"' in line)
    tiny.spoil("classes/Box.toml", "[messages.shake]",
               '[messages.shake]\nbody = "write"\ntest = "x::y"')
    text = (generate(tiny) / "dispatch.c").read_text()
    assert "return api_box_shake(c, args);" in text
    assert "MSG_WRITE" in text and ".body = do_box_shake" in text


def test_setter_can_have_a_body(tiny):
    tiny.append("classes/Box.toml", '\n[messages.set_color]\nbody = "write"\ntest = "x::y"\n')
    out = generate(tiny)
    assert ".kind = MSG_SET_FIELD" in (out / "dispatch.c").read_text()
    header = (out / "msg" / "Box.h").read_text()
    assert "struct box_set_color_args {\n    const char *self; /* ref:Box */\n    int value;" \
        in header


def test_messages_can_share_arguments_and_body(tiny):
    tiny.append("classes/Box.toml", NUDGE + 'args_of = "shake"\n')
    header = (generate(tiny) / "msg" / "Box.h").read_text()
    assert "struct box_nudge_args {" not in header
    assert "struct error *api_box_nudge(struct call *c, const struct box_shake_args *a);" in header
    tables = (generate(tiny) / "msg" / "Box.c").read_text().split("box_nudge_args_fields")[1]
    assert "offsetof(struct box_shake_args, box)" in tables and ".times = 1," in tables and '"times"' not in tables
    tiny.spoil("classes/Box.toml", SHAKE, SHAKE + 'body = "read"\ntest = "x::y"\n')
    tiny.spoil("classes/Box.toml", "args_of", "body_of")
    assert "api_box_nudge" not in (generate(tiny) / "msg" / "Box.h").read_text()
    assert "return api_box_shake(c, args);" in (generate(tiny) / "dispatch.c").read_text().split("do_box_nudge")[1]


def test_named_tests_must_exist(tiny, tmp_path, capsys):
    tiny.spoil("classes/Box.toml", "[messages.shake]",
               '[messages.shake]\nbody = "write"\ntest = "tests/t.py::test_shake"')
    arguments = ["--schema", str(tiny.folder), "--out", str(tmp_path / "o"), "--root",
                 str(tmp_path)]
    assert main.main(arguments) == 1
    assert "[messages.shake]: test file 'tests/t.py' does not exist" in capsys.readouterr().err
    tiny.write("tests/t.py", "def test_shaken(): pass\n")
    assert main.main(arguments) == 1
    assert "[messages.shake]: 'tests/t.py' has no test 'test_shake'" in capsys.readouterr().err
    tiny.write("tests/t.py", "def test_shake(): pass\n")
    assert main.main(arguments) == 0


def test_a_problem_is_told_and_nothing_written(tiny, capsys):
    tiny.spoil("classes/Ball.toml", "ref:Box", "ref:Bax")
    out = tiny.folder / "out"
    assert main.main(["--schema", str(tiny.folder), "--out", str(out)]) == 1
    assert "classes/Ball.toml: [fields.box]: unknown class 'Bax'" in capsys.readouterr().err
    assert not out.exists()


def test_only_what_changed_is_written(tiny):
    out = generate(tiny)
    old = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    generate(tiny)
    assert old == {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    tiny.spoil("classes/Ball.toml", "default = 7", "default = 8")
    generate(tiny)
    changed = {str(p.relative_to(out)) for p in old if p.stat().st_mtime_ns != old[p]}
    assert changed == {"class/Ball.c", "class.stamp"}


def test_coverage_counts(tiny):
    def text():
        return (generate(tiny) / "coverage.md").read_text()

    assert "| Box | 11 | 0 | 0 | 0 | 3 |" in text()
    assert "\n3 of 20 messages, 15.00 %.\n3 of 20 messages in state published, 15.00 %.\n" in text()
    tiny.spoil("classes/Box.toml", "[messages.shake]",
               '[messages.shake]\nrefuse = ["BROKEN", "box"]\ntest = "x::y"')
    assert "| Box | 11 | 0 | 1 | 0 | 2 |" in text()
    assert "| shake | answers with an error (Shakes it.) | BROKEN box | x::y |" in text()
    assert "| Box.shake | answers with an error | Shakes it. |" in text()
    tiny.spoil("classes/Box.toml", 'refuse = ["BROKEN", "box"]',
               'body = "read"\ncannot = "It is nailed down."')
    assert "| Box | 11 | 1 | 0 | 0 | 2 |" in text()
    assert "| shake | checks, then refuses (It is nailed down.) | read | x::y |" in text()
    assert "| Box.shake | checks, then refuses | It is nailed down. |" in text()
    tiny.spoil("classes/Box.toml", 'body = "read"\ncannot = "It is nailed down."\ntest = "x::y"',
               'state = "removed"')
    assert "| Box | 11 | 0 | 0 | 1 | 2 |" in text()
    assert "Box.shake" not in text() and "Classes without objects" not in text()
    tiny.spoil("classes/Ball.toml", 'doc = "A ball."', 'doc = "A ball."\nno_rows = "None is made."')
    assert "| Ball | 6 | None is made. |" in text().split("## Classes without objects")[1]


def test_coverage_tells_what_others_call(tiny):
    tiny.write("clients.toml", '["box-tool 2"]\ndoc = "A tool."\nmessages = ["Box.get_color", "*.get_record"]\n')
    text = (generate(tiny) / "coverage.md").read_text()
    assert "| box-tool 2 | A tool. | 3 |" in text.split("## What others call")[1]


def test_little_is_refused():
    """Of the whole XenAPI less than a twentieth, and nothing is missing."""
    schema = main.build(os.path.join(ROOT, "schema"))
    found = works.refused(schema)
    assert len(works.messages(schema)) == 2258
    for name, n, of in works.share(schema):
        assert n < of / 20, (name, n, of)
    assert [m.wire for m in found if works.status(m) == works.MISSING] == []
    assert all((m.cannot or m.doc) and m.test for m in found)


def test_result_compiles(tiny):
    tiny.spoil("classes/Box.toml", 'derived = "weight"', 'derived = "weight"\nbody = true')
    tiny.spoil("classes/Box.toml", "[messages.shake]",
               '[messages.shake]\nbody = "write"\ntest = "x::y"')
    out = generate(tiny)
    # The headers of the model limit themselves to classes that exist; db.h and store.h do not
    # matter here, so the txn wrappers are left out.
    for path in sorted(out.rglob("*.c")):
        done = subprocess.run(
            ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
             "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-I", str(out.parent),
             "-I", os.path.join(ROOT, "src"), str(path)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_classes_of_xe_are_listed_for_their_tests(tiny, tmp_path, capsys):
    tiny.write("xe.toml", '[classes.box]\nclass = "Box"\nfields = []\n[verbs.list]\ndoc = "Shows."\ntest = "tests/a.py::test_a"\n')
    facts = tmp_path / "tests/facts"
    facts.mkdir(parents=True)
    (tmp_path / "tests/a.py").write_text("def test_a(): pass\n")
    arguments = ["--schema", str(tiny.folder), "--out", str(tmp_path / "o"), "--root", str(tmp_path)]
    for listed, code in (("ball | all | uuid", 1), ("box | all | uuid", 0)):
        (facts / "xe_classes.txt").write_text(listed + "\n")
        assert main.main(arguments) == code
        said = "xe.toml: [classes.box]: 'tests/facts/xe_classes.txt' does not list it, so no test runs its commands"
        assert (said in capsys.readouterr().err) == bool(code)


def page_of_xe(tmp_path):
    """The manual page of the real schema."""
    assert main.main(["--schema", os.path.join(ROOT, "schema"), "--out", str(tmp_path / "gen")]) == 0
    return tmp_path / "gen/xe.1", main.build(os.path.join(ROOT, "schema"))


def test_manual_of_xe_is_well_formed(tmp_path):
    page, _ = page_of_xe(tmp_path)
    lint = subprocess.run(["mandoc", "-T", "lint", page], capture_output=True, text=True).stdout.splitlines()
    # Whether its neighbours are installed is not its fault.
    assert [line for line in lint if "referenced manual not found" not in line] == []
    shown = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page], capture_output=True, text=True,
                           env={**os.environ, "MANPAGER": "cat", "MANWIDTH": "100"})
    assert shown.returncode == 0 and shown.stderr == ""


def test_manual_of_xe_says_all_that_help_says(tmp_path):
    page, schema = page_of_xe(tmp_path)
    text = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=1000", page], capture_output=True, text=True).stdout
    text = re.sub(".\b", "", text)
    words = " ".join(text.split())
    for c in xe.commands(schema):
        required = "".join(f" {p}{'key=value' if p[-1] in ':-' else '=value'}" for p in c.required)
        assert re.search(rf"^ +{re.escape(c.name + required)}(?: |$)", text, re.M), c.name
        for p in c.optional:
            assert f"[{p}{'key=value' if p[-1] in ':-' else '=value'}]" in text, p
        assert " ".join(c.doc.split()) in words, c.name
    for c in xe.classes(schema).values():
        for f in c.fields:
            assert "hidden" in f.flags or f"{f.name} (" in words, f.name
    for name in (*xe.options(schema), *xe.builtins(schema), *schema.xe["environment"], *schema.xe["files"]):
        assert re.search(rf"^ +{re.escape(name)}\b", text, re.M), name
    assert all(t.text.split("\n")[-1].strip() in text for t in xe.topics(schema))
