# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each refusal of the generator, with its exact sentence."""

import pytest
from conftest import NUDGE, SHAKE

BOX = "classes/Box.toml"
BALL = "classes/Ball.toml"

# (file, text to replace, replacement, a problem that must be reported, without the file's name)
CASES = {
    # shape
    "unknown class key": (BOX, "create_destroy = true", "create_destory = true",
                          "[class]: unknown key 'create_destory'"),
    "unknown field key": (BALL, 'on_delete = "cascade"', 'ondelete = "cascade"',
                          "[fields.box]: unknown key 'ondelete'"),
    "unknown message key": (BOX, "async = true", "asynchronous = true",
                            "[messages.shake]: unknown key 'asynchronous'"),
    "unknown parameter key": (BOX, 'type = "int", default = 1', 'type = "int", defualt = 1',
                              "[messages.shake]: unknown key 'defualt'"),
    "unknown enum key": ("enums.toml", "values", "valeus", "[color]: unknown key 'valeus'"),
    "unknown error key": ("errors.toml", "params", "parms", "[BROKEN]: unknown key 'parms'"),
    "wrong kind of value": (BOX, "async = true", 'async = "yes"',
                            "[messages.shake]: 'async' must be a bool"),
    "wrong file name": (BALL, 'name = "Ball"', 'name = "Sphere"',
                        "[class]: class 'Sphere' belongs into Sphere.toml"),
    "no type": (BALL, 'type = "ref:Box"', "", "[fields.box]: 'type' and 'q' are needed"),
    # types and names
    "unknown type": (BALL, 'type = "ref:Box"', 'type = "pointer:Box"',
                     "[fields.box]: unknown type 'pointer:Box': no 'pointer'"),
    "type without name": (BALL, 'type = "ref:Box"', 'type = "ref"',
                          "[fields.box]: unknown type 'ref': ref needs a name"),
    "type ends early": (BALL, 'type = "ref:Box"', 'type = "map:string"',
                        "[fields.box]: unknown type 'map:string': it ends too early"),
    "type left over": (BALL, 'type = "int"', 'type = "int:int"',
                       "[fields.weight]: unknown type 'int:int': 'int' is left over"),
    "unknown class": (BOX, 'type = "ref:Box"', 'type = "ref:Bax"',
                      "[messages.shake]: parameter 'box': unknown class 'Bax'"),
    "unknown enum": (BOX, "enum:color", "enum:colour", "[fields.color]: unknown enum 'colour'"),
    "unknown record": (BOX, "async = true\n", 'async = true\nresult = "record:Lid"\n',
                       "[messages.shake]: unknown record 'Lid'"),
    "unknown role set": (BALL, 'roles = "admin+"', 'roles = "boss+"',
                         "[class]: unknown role set 'boss+'"),
    "unknown role": ("roles.toml", '"admin+" = ["admin"]', '"admin+" = ["admin", "boss"]',
                     "[sets]: set 'admin+': unknown role 'boss'"),
    "unknown release": (BOX, 'errors = ["BROKEN"]\nsince = "rio"', 'errors = []\nsince = "oslo"',
                        "[messages.shake]: unknown release 'oslo'"),
    "unknown error code": (BOX, 'errors = ["BROKEN"]', 'errors = ["BORKEN"]',
                           "[messages.shake]: unknown error 'BORKEN'"),
    "unknown qualifier": (BALL, 'q = "StaticRO"', 'q = "RO"',
                          "[fields.box]: unknown qualifier 'RO'"),
    "unknown state": (BALL, 'on_delete = "cascade"', 'on_delete = "cascade"\nstate = "old"',
                      "[fields.box]: unknown state 'old'"),
    "unknown change": (BALL, 'since = "rio"\ninverse', 'history = ["born rio"]\ninverse',
                       "[fields.box]: unknown change 'born rio' in 'history'"),
    "unknown on_delete": (BALL, '"cascade"', '"explode"',
                          "[fields.box]: unknown on_delete 'explode'"),
    "on_delete without reference": (BALL, "default = 7", 'default = 7\non_delete = "null"',
                                    "[fields.weight]: 'on_delete' belongs to stored references"),
    "bad_ref without reference": (BALL, "default = 7", 'default = 7\nbad_ref = "null"',
                                  "[fields.weight]: 'bad_ref' belongs to stored references"),
    "no rows of no table": (BALL, "in_database = true", 'no_rows = "None are made."',
                            "[class]: 'no_rows' belongs to classes in the database"),
    "no uuid": (BALL, "[fields.uuid]", "[fields.id]",
                "[class]: a class in the database needs the field 'uuid'"),
    # duplicates
    "enum value twice": ("enums.toml", '"green"', '"red"',
                         "[color]: value 'red' is there twice"),
    "parameter twice": (BOX, 'name = "times"', 'name = "box"',
                        "[messages.shake]: parameter 'box' is there twice"),
    # relations
    "inverse names no field": (BALL, 'inverse = "Box.balls"', 'inverse = "Box.boules"',
                               "[fields.box]: 'inverse' names no field: 'Box.boules'"),
    "both computed": (BALL, 'on_delete = "cascade"', "computed = true",
                      "[fields.box]: both ends of the relation with Box.balls computed"),
    "neither computed": (BOX, 'computed = true\n', "",
                         "[fields.balls]: neither end of the relation with Ball.box computed"),
    "computed alone": (BOX, 'computed = true\ninverse = "Ball.box"', "computed = true",
                       "[fields.balls]: 'computed' needs 'inverse'"),
    "wrong class": (BALL, 'type = "ref:Box"', 'type = "ref:Ball"',
                    "[fields.box]: its inverse is in Box, but it refers to 'Ball'"),
    # derived
    "path unknown": (BOX, '"balls.weight"', '"balls.wait"',
                     "[fields.weight]: bad path 'balls.wait': class Ball has no field 'wait'"),
    "path through a value": (BOX, '"balls.weight"', '"color.weight"',
                             "[fields.weight]: bad path 'color.weight': Box.color leads to no "
                             "class"),
    "path to a derived field": (BOX, '"balls.weight"', '"balls.box.weight"',
                                "[fields.weight]: bad path 'balls.box.weight': Box.weight is "
                                "itself derived"),
    "path too long": (BOX, '"balls.weight"', '"balls.box.balls.box.balls.weight"',
                      "[fields.weight]: bad path 'balls.box.balls.box.balls.weight' is longer "
                      "than 4 hops"),
    "key of no map": (BOX, '"labels/heavy"', '"color/heavy"',
                      "[fields.weight]: bad path 'color/heavy': Box.color is no map with text "
                      "keys"),
    "bad global path": (BOX, '"labels/heavy"', '"@Ball.box.color"',
                        "[fields.weight]: bad path '@Ball.box.color' must be @CLASS.FIELD"),
    "derived without depends": (BOX, 'depends = ["color", "balls.weight", "labels/heavy"]', "",
                                "[fields.weight]: 'derived' needs 'depends'"),
    "depends without derived": (BOX, 'derived = "weight"', "",
                                "[fields.weight]: 'depends' without 'derived'"),
    "body without derived": (BALL, "default = 7", "default = 7\nbody = true",
                             "[fields.weight]: 'body' without 'derived'"),
    "derived and soft": (BOX, 'derived = "weight"', 'derived = "weight"\nsoft = true',
                         "[fields.weight]: a derived field cannot be computed, soft or RW"),
    # defaults
    "default of wrong type": (BALL, "default = 7", 'default = "7"',
                              "[fields.weight]: bad default: '7' is no int"),
    "bool is no int": (BALL, "default = 7", "default = true",
                       "[fields.weight]: bad default: True is no int"),
    "default of no enum value": (BOX, '"enum:color"', '"enum:color"\ndefault = "blue"',
                                 "[fields.color]: bad default: 'blue' is no enum:color"),
    "default of a parameter": (BOX, "default = 1", 'default = "1"',
                               "[messages.shake]: parameter 'times': bad default: '1' is no int"),
    # works
    "works without test": (BOX, SHAKE, SHAKE + 'body = "write"\n',
                           "[messages.shake]: works without test: name one with "
                           'test = "FILE::NAME"'),
    "refuses without test": (BOX, SHAKE, SHAKE + 'refuse = ["BROKEN", "box"]\n',
                             "[messages.shake]: works without test: name one with "
                             'test = "FILE::NAME"'),
    "test without body": (BOX, SHAKE, SHAKE + 'test = "x::y"\n',
                          "[messages.shake]: has a test but no body"),
    "unknown body": (BOX, SHAKE, SHAKE + 'body = "right"\ntest = "x::y"\n',
                     "[messages.shake]: unknown body 'right'"),
    "generic by choice": (BOX, SHAKE, SHAKE + 'body = "generic"\ntest = "x::y"\n',
                          "[messages.shake]: only create and destroy can be generic by choice"),
    "body and refusal": (BOX, SHAKE, SHAKE + 'body = "read"\nrefuse = ["BROKEN"]\n'
                         'test = "x::y"\n',
                         "[messages.shake]: has both a body and a refusal"),
    "cannot without body": (BOX, SHAKE, SHAKE + 'cannot = "It is nailed down."\n',
                            "[messages.shake]: 'cannot' needs a body that checks; without one it "
                            "is 'refuse'"),
    "cannot and inert": (BOX, SHAKE, SHAKE + 'body = "read"\ntest = "x::y"\ncannot = "No."\n'
                         'inert = "Yes."\n',
                         "[messages.shake]: cannot succeed and be inert"),
    "refuses with unknown error": (BOX, SHAKE, SHAKE + 'refuse = ["BUST"]\ntest = "x::y"\n',
                                   "[messages.shake]: unknown error 'BUST'"),
    "removed and works": (BOX, SHAKE, SHAKE + 'state = "removed"\nbody = "read"\ntest = "x::y"\n',
                          "[messages.shake]: is removed, it cannot have a body"),
    "works without words": (BOX, SHAKE + 'doc = "Shakes it."', SHAKE + 'body = "read"\n'
                            'test = "x::y"',
                            "[messages.shake]: works but is not documented"),
    # documentation
    "undocumented class": (BOX, 'doc = "A box."', "", "[class]: is not documented"),
    "undocumented field": (BALL, 'doc = "How heavy it is."', "",
                           "[fields.weight]: is not documented"),
    "undocumented message": (BOX, 'doc = "Shakes it."', "",
                             "[messages.shake]: is not documented"),
    "undocumented error": ("errors.toml", 'doc = "It is broken."', "",
                           "[BROKEN]: is not documented"),
    "unknown call key": ("host/box.toml", "[calls.box_open]\n", "[calls.box_open]\nfds = 1\n",
                         "[calls.box_open]: unknown key 'fds'"),
}

# The same about the host protocol, which is one over all its files.
HOST_CASES = {
    "undocumented call": ('doc = "Opens a box."', "", "[calls.box_open]: is not documented"),
    "unknown struct": ("set:record:lid", "set:record:lit",
                       "[calls.box_open]: parameter 'lids': unknown record 'lit'"),
    "struct in itself": ('type = "bool", default = false', 'type = "record:lid"',
                         "[structs.lid]: contains itself"),
    "void member": ('type = "bool", default = false', 'type = "void"',
                    "[structs.lid]: member 'open' is void"),
    "too many descriptors": ("[calls.box_open]\n", "[calls.box_open]\nfds_out = 17\n",
                             "[calls.box_open]: 'fds_out' must be 0 to 16"),
    "negative time": ("[calls.box_open]\n", "[calls.box_open]\ntimeout = -1\n",
                      "[calls.box_open]: 'timeout' must not be negative"),
    "enum of the XenAPI": ("[calls.box_open]\n", '[enums.color]\nvalues = ["x"]\n'
                           "[calls.box_open]\n",
                           "[enums.color]: the XenAPI has an enum of that name"),
}


def test_tiny_schema_is_in_order(tiny):
    assert tiny.problems() == []


@pytest.mark.parametrize("name", CASES)
def test_refuses(tiny, name):
    file, old, new, problem = CASES[name]
    tiny.spoil(file, old, new)
    assert f"{file}: {problem}" in tiny.problems()


@pytest.mark.parametrize("name", HOST_CASES)
def test_refuses_host(tiny, name):
    old, new, problem = HOST_CASES[name]
    tiny.spoil("host/box.toml", old, new)
    assert f"host: {problem}" in tiny.problems()


def test_refuses_implicit_message_with_roles(tiny):
    tiny.append(BOX, '\n[messages.get_record]\ndoc = "x"\nroles = "admin+"\n')
    assert (f"{BOX}: [messages.get_record]: is an implicit message, 'roles' must not be given"
            in tiny.problems())


def test_refuses_override_of_nothing(tiny):
    tiny.append(BOX, '\n[messages.set_uuid]\nbody = "write"\n')
    assert tiny.problems() == [f"{BOX}: [messages.set_uuid]: no such implicit message, "
                               "and 'roles' is missing"]


def test_refuses_parameter_after_a_default(tiny):
    tiny.spoil(BOX, '{ name = "box", type = "ref:Box" }',
               '{ name = "box", type = "ref:Box", default = "" }')
    tiny.spoil(BOX, 'type = "int", default = 1', 'type = "int"')
    assert tiny.problems() == [f"{BOX}: [messages.shake]: parameter 'times' has no default but "
                               "follows 'box', which has one"]


def test_refuses_ends_that_disagree(tiny):
    tiny.spoil(BALL, 'inverse = "Box.balls"', 'inverse = "Box.color"')
    assert (f"{BOX}: [fields.balls]: the ends of the relation disagree: Ball.box has inverse "
            "'Box.color'" in tiny.problems())


def test_refuses_a_table_twice(tiny):
    tiny.spoil(BALL, "[fields.weight]\n", "[fields.box]\n")
    [problem] = [p for p in tiny.problems() if p.startswith(f"{BALL}: Cannot declare")]
    assert "'box'" in problem


def test_refuses_names_that_are_one_in_c(tiny):
    tiny.spoil("enums.toml", '"green"]', '"green", "Red"]')
    assert tiny.problems() == ["enum color value 'Red': its C name COLOR_RED is also that of enum "
                               "color value 'red'"]


def test_refuses_a_column_twice(tiny):
    tiny.spoil(BOX, 'type = "enum:color"', 'type = "enum:color"\ncolumn = "uuid"')
    assert tiny.problems() == ["field Box.color: 'uuid' is also the name of field 'uuid'"]


def test_refuses_host_call_named_like_a_message(tiny):
    tiny.spoil("host/box.toml", "[calls.box_open]", "[calls.open]")
    assert tiny.problems() == []
    tiny.write("classes/host.toml", '[class]\nname = "host"\ndoc = "x"\nsince = "rio"\n'
               'roles = "admin+"\n[messages.open]\ndoc = "x"\nroles = "admin+"\nsince = "rio"\n')
    assert tiny.problems() == ["host call open: its C name host_open_args is also that of message "
                               "host.open()"]


def test_refuses_stored_reference_to_a_soft_class(tiny):
    tiny.spoil(BOX, "in_database = true", "in_database = true\nsoft = true")
    tiny.spoil(BOX, 'derived = "weight"\ndepends = ["color", "balls.weight", "labels/heavy"]', "")
    assert tiny.problems() == [f"{BALL}: [fields.box]: is stored, but class Box is soft: a stored "
                               "row would point at a lost one"]


def test_refuses_our_field_without_words(tiny):
    tiny.append(BALL, '\n[fields.seam]\ntype = "int"\nq = "DynamicRO"\ninternal = true\n'
                      "ours = true\n")
    assert tiny.problems() == [f"{BALL}: [fields.seam]: is not documented"]


def test_refuses_our_field_on_the_wire(tiny):
    tiny.append(BALL, '\n[fields.seam]\ndoc = "x"\ntype = "int"\nq = "DynamicRO"\nours = true\n')
    assert tiny.problems() == [f"{BALL}: [fields.seam]: a field of ours must be internal"]


def test_list_of_undocumented(tiny):
    tiny.spoil(BOX, 'doc = "Shakes it."', "")
    tiny.write("undocumented.txt", "# note\nBox.shake()\n")
    assert tiny.problems() == []


def test_refuses_list_entry_that_is_documented(tiny):
    tiny.write("undocumented.txt", "Box.color\n")
    assert tiny.problems() == ["undocumented.txt: 'Box.color' is documented, remove it from the "
                               "list"]


def test_refuses_list_entry_that_does_not_exist(tiny):
    tiny.write("undocumented.txt", "Box.smell\n")
    assert tiny.problems() == ["undocumented.txt: 'Box.smell' does not exist, remove it from the "
                               "list"]


def test_refuses_list_entry_twice(tiny):
    tiny.spoil("errors.toml", 'doc = "It is broken."', "")
    tiny.write("undocumented.txt", "error BROKEN\nerror BROKEN\n")
    assert tiny.problems() == ["undocumented.txt: 'error BROKEN' is there twice"]


def test_list_does_not_excuse_a_message_that_works(tiny):
    tiny.spoil(BOX, 'doc = "Shakes it."', 'body = "read"\ntest = "x::y"')
    tiny.write("undocumented.txt", "Box.shake()\n")
    assert tiny.problems() == [f"{BOX}: [messages.shake]: works but is not documented"]


XE = """
[classes.box]
class = "Box"
default = ["uuid"]
fields = [
    { name = "uuid", path = "uuid", kind = "RO" },
    { name = "ball-uuids", path = "balls.uuid", kind = "SRO" },
]

[words.color]
red = "Red"

[commands.box-shake]
required = ["uuid"]
optional = ["times"]
call = "Box.shake"
args = ["uuid:Box"]
test = "x::y"

[verbs.list]
doc = "Shows them."
test = "x::y"

[options.-s]
doc = "a host"
"""

XE_CASES = {
    "unknown verb": ("verbs.list", "verbs.show", "[verbs.show]: unknown verb"),
    "verb without a test": ('doc = "Shows them."\ntest = "x::y"', 'doc = "Shows them."',
                            "[verbs.list]: no test runs it: name one with test = \"FILE::NAME\""),
    "verb without words": ('doc = "Shows them."', "", "[verbs.list]: is not documented"),
    "option without words": ('doc = "a host"', "", "[options.-s]: is not documented"),
    "unknown key of an option": ('doc = "a host"', 'doc = "a host"\nshort = "h"', "[options.-s]: unknown key 'short'"),
    "unknown class": ('"Box"', '"Bax"', "[classes.box]: unknown class 'Bax'"),
    "unknown column": ('default = ["uuid"]', 'default = ["color"]',
                       "[classes.box]: default column 'color' is no field"),
    "unknown path": ("balls.uuid", "balls.id",
                     "[classes.box]: field 'ball-uuids': path 'balls.id' leads nowhere"),
    "unknown kind": ('"SRO"', '"SWO"', "[classes.box]: field 'ball-uuids': unknown kind 'SWO'"),
    "unknown source": ("balls.uuid", "@moon:x",
                       "[classes.box]: field 'ball-uuids': unknown path '@moon:x'"),
    "field twice": ("ball-uuids", "uuid", "[classes.box]: field 'uuid' is there twice"),
    "unknown key": ('required = ["uuid"]', 'needed = ["uuid"]',
                    "[commands.box-shake]: unknown key 'needed'"),
    "parameter twice": ('"times"', '"uuid"',
                        "[commands.box-shake]: parameter 'uuid' is required and optional"),
    "unknown selector": ('required = ["uuid"]', 'select = "Box"',
                         "[commands.box-shake]: unknown selector 'Box'"),
    "unknown style": ('kind = "SRO"', 'kind = "SRO", style = "bold"',
                      "[classes.box]: field 'ball-uuids': unknown style 'bold'"),
    "unknown enum": ("[words.color]", "[words.taste]", "[words.taste]: there is no such enum"),
    "unknown word": ("red =", "blue =", "[words.color]: unknown value 'blue'"),
    "no test": ('test = "x::y"', "", "[commands.box-shake]: no test runs it: name one with test = \"FILE::NAME\""),
    "unknown call": ("Box.shake", "Box.melt",
                     "[commands.box-shake]: there is no message 'Box.melt'"),
    "too few arguments": ('args = ["uuid:Box"]', "args = []",
                          "[commands.box-shake]: Box.shake takes 1 to 2 arguments, not 0"),
    "unknown parameter": ('"uuid:Box"', '"box:Box"',
                          "[commands.box-shake]: argument 'box:Box': no parameter 'box'"),
    "unknown kind of argument": ('"uuid:Box"', '"uuid:Bag"',
                                 "[commands.box-shake]: argument 'uuid:Bag': unknown kind 'Bag'"),
    "nothing selected": ('"uuid:Box"', '"@"', "[commands.box-shake]: '@' stands for what was "
                                              "selected, but nothing is"),
    "no form": ('"uuid:Box"', '"uuid"', "[commands.box-shake]: argument 'uuid' is not of the form "
                                        "word:kind=default"),
    "no words": ('call = "Box.shake"', "", "[commands.box-shake]: is not documented"),
    "unknown flag": ('required = ["uuid"]', 'flags = ["loud"]',
                     "[commands.box-shake]: unknown flag 'loud'"),
}


def test_xe_tables_in_order(tiny):
    tiny.write("xe.toml", XE)
    assert tiny.problems() == []


@pytest.mark.parametrize("name", XE_CASES)
def test_refuses_xe(tiny, name):
    old, new, problem = XE_CASES[name]
    tiny.write("xe.toml", XE.replace(old, new, 1))
    assert f"xe.toml: {problem}" in tiny.problems()


SHARED = NUDGE + 'body_of = "shake"\n'

SHARED_CASES = {
    "no body": ('body = "read"\ntest = "x::y"\n', "", "'body_of' needs a body"),
    "no such message": ('"shake"', '"shove"', "'body_of' names no message of its own: 'shove'"),
    "implicit message": ('"shake"', '"get_color"', "'body_of' names no message of its own: 'get_color'"),
    "itself": ('"shake"', '"nudge"', "'body_of' names no message of its own: 'nudge'"),
    "both": ("body_of", 'args_of = "shake"\nbody_of', "'body_of' is 'args_of' already"),
    "another type": ('"ref:Box"', '"string"', "'body_of': Box.shake has no parameter 'box' of that type"),
    "another parameter": ('"box"', '"crate"', "'body_of': Box.shake has no parameter 'crate' of that type"),
    "too few": ('{ name = "box", type = "ref:Box" }', "", "'body_of': Box.shake needs 'box'"),
    "another kind": ('body = "read"', 'body = "slow"', "'body_of': Box.shake behaves otherwise"),
    "another result": ("roles", 'result = "int"\nroles', "'body_of': Box.shake behaves otherwise"),
}


def shared(tiny, text):
    tiny.spoil(BOX, SHAKE, SHAKE + 'body = "read"\ntest = "x::y"\n')
    tiny.append(BOX, text)
    return tiny.problems()


def test_shared_body_in_order(tiny):
    assert shared(tiny, SHARED) == []


@pytest.mark.parametrize("name", SHARED_CASES)
def test_refuses_shared(tiny, name):
    old, new, problem = SHARED_CASES[name]
    assert f"{BOX}: [messages.nudge]: {problem}" in shared(tiny, SHARED.replace(old, new, 1))


CLIENTS = '''
["box-tool"]
doc = "A tool."
messages = ["Box.get_color", "*.get_record"]
'''

CLIENT_CASES = {
    "unknown key": ("doc =", "docs =", "unknown key 'docs'"),
    "no words": ('doc = "A tool."', "", "'doc' and 'messages' are needed"),
    "unknown message": ("Box.get_color", "Box.get_taste", "there is no message 'Box.get_taste'"),
    "message that is missing": ("Box.get_color", "Box.shake", "Box.shake is missing"),
}


def test_clients_in_order(tiny):
    tiny.write("clients.toml", CLIENTS)
    assert tiny.problems() == []


@pytest.mark.parametrize("name", CLIENT_CASES)
def test_refuses_clients(tiny, name):
    old, new, problem = CLIENT_CASES[name]
    tiny.write("clients.toml", CLIENTS.replace(old, new, 1))
    assert tiny.problems() == [f"clients.toml: [box-tool]: {problem}"]


@pytest.mark.parametrize("how", ['refuse = ["BROKEN", "box"]', 'body = "read"\ncannot = "It is nailed down."'])
def test_refuses_what_clients_could_not_call(tiny, how):
    tiny.write("clients.toml", CLIENTS.replace("Box.get_color", "Box.shake"))
    tiny.spoil(BOX, SHAKE, SHAKE + how + '\ntest = "x::y"\n')
    assert tiny.problems() == ["clients.toml: [box-tool]: Box.shake is refused"]
