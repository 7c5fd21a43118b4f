r"""DF-1, DF-2: the label says what command.json says after BuildKit has read it, and stands there once.

`buildkit` below reads one quoted value as BuildKit does, without any code of the project: a `\` escapes `"`, `$`
and `\` only; an unescaped `"` ends the value; an unescaped `$` is a variable, and a mistake.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcia_xnat import __version__
from tcia_xnat.container_command.dockerfile import instructions, pairs, unquoted
from tcia_xnat.container_command.label import label_line, problem, replaced, values
from tcia_xnat.core.errors import UsageError
from tests.command.case import TOP, document

DOCKERFILE = TOP / "Dockerfile"
NAME = "org.nrg.commands"
PLAIN = {"a": 1}
LINE = label_line(PLAIN)

FIXTURES = [
    r"back\slash",
    "two\\\\",
    'say "hi"',
    '\\"',
    "$X",
    "${X:-y}",
    "\\$X",
    "$$",
    "it's",
    "Größe → 大 😀",
    "line\nfeed\r\ttab",
    "\u2028\x85\x00\x7f",
    "# no comment",
    "<<EOF",
    "a\\",
    "`tick`",
    "=",
]


def buildkit(line: str) -> str:
    start = f'LABEL {NAME}="'
    assert line.startswith(start)
    characters, made = iter(line[len(start) :]), list[str]()
    for character in characters:
        if character == '"':
            break
        assert character != "$", "a variable"
        following = next(characters) if character == "\\" else ""
        made.append(following if following and following in '"$\\' else character + following)
    assert not list(characters)
    return "".join(made)


@pytest.mark.parametrize("text", FIXTURES)
def test_df_01_every_special_character_comes_through(text: str) -> None:
    for tree in ({"x": text}, {text: "x"}, {"x": json.dumps({"y": text})}):
        line = label_line(tree)
        assert json.loads(buildkit(line)) == [tree]
        assert [json.loads(value) for value in values(line)] == [[tree]]


def test_df_01_the_real_label_is_the_real_command() -> None:
    line = label_line(document())
    assert json.loads(buildkit(line)) == [document()]
    assert values(line) == [buildkit(line)]


def test_df_01_forgotten_escapes_are_seen() -> None:
    tree = {"x": r"/.*\.tcia/"}
    careless = f'LABEL {NAME}="' + json.dumps([tree]).replace('"', r"\"") + '"'
    with pytest.raises(ValueError, match="escape"):
        json.loads(buildkit(careless))
    assert "differs" in problem(f"FROM x\n{careless}\n", tree)
    assert "differs" in problem(f'FROM x\nLABEL {NAME}="[{{\\"x\\":\\"$X\\"}}]"\n', {"x": "$X"})


json_trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
spiced = st.text(st.sampled_from("\\\"$X{}' \n#=ä😀")).map(lambda text: {"x": text})


@settings(max_examples=400)
@given(json_trees | spiced)
def test_df_01_any_json_comes_through(tree: object) -> None:
    line = label_line(tree)
    assert json.dumps(json.loads(buildkit(line))) == json.dumps([tree])
    assert values(f"FROM x\n{line}\n") == [buildkit(line)]
    assert problem(f"FROM x\n{line}\n", tree) == ""


WORDS = {
    r'"a\\b"': r"a\b",
    r'"a\b"': r"a\b",
    r'"a\"b"': 'a"b',
    r'"\$X"': "$X",
    r'"\\\""': '\\"',
    r'"\\n"': r"\n",
    '"ä 😀"': "ä 😀",
    r"'a\b$X'": r"a\b$X",
    r"a\ b\\": "a b\\",
    "a'b c'\"d\"": "ab cd",
    '""': "",
}


@pytest.mark.parametrize(("word", "meant"), WORDS.items())
def test_df_01_words_are_unquoted_as_buildkit_does(word: str, meant: str) -> None:
    assert unquoted(word) == meant
    assert pairs(f"k={word} z=1") == [("k", word, f"k={word}"), ("z", "1", "z=1")]


@pytest.mark.parametrize("word", ['"a', "'a", '"a\\"', '"$X"', r'"\\$X"', "$X", '"${X}"'])
def test_df_01_words_that_a_build_would_change_are_refused(word: str) -> None:
    with pytest.raises(UsageError):
        unquoted(word)


CHANGED = [{"a": 2}, {"a": True}, {"a": 1.0}, {"a": "1"}, {}, [], None]


@pytest.mark.parametrize("tree", CHANGED)
def test_df_01_another_command_differs(tree: object) -> None:
    assert "differs" in problem(f"FROM x\n{LINE}\n", tree)
    assert problem(f"FROM x\n{LINE}\n", PLAIN) == ""


@pytest.mark.parametrize("value", ['"{\\"a\\":1}"', "[]", '""', '"[{\\"a\\":1},{\\"a\\":1}]"', '"[{"a":1}]"', '"['])
def test_df_02_a_label_that_is_no_list_of_this_command_differs(value: str) -> None:
    assert "differs" in problem(f"FROM x\nLABEL {NAME}={value}\n", PLAIN)


def test_df_01_the_dockerfile_has_the_label_of_the_command() -> None:
    assert problem(DOCKERFILE.read_bytes().decode(), document()) == ""


def test_cj_14_the_dockerfile_has_the_version() -> None:
    labels = [one.rest for one in instructions(DOCKERFILE.read_text()) if one.keyword == "LABEL"]
    versions = [
        value for rest in labels for name, value, _ in pairs(rest) if name.endswith("opencontainers.image.version")
    ]
    assert [unquoted(value) for value in versions] == [__version__]


def test_df_02_one_line_of_ascii_and_small() -> None:
    line = label_line(document() | {"x": "\n\u2028Größe"})
    assert line.isascii()
    assert line.isprintable()
    assert len(label_line(document())) < 16 * 1024
    assert isinstance(json.loads(buildkit(line)), list)


def test_df_02_a_line_that_no_dockerfile_takes_is_refused() -> None:
    room = 65_534 - len(label_line({"x": ""}))
    assert len(label_line({"x": "a" * room})) == 65_534
    with pytest.raises(UsageError, match="65535"):
        label_line({"x": "a" * (room + 1)})


FROM = "FROM python@sha256:1 AS a\nRUN true\n"
OLD = f'LABEL {NAME}="[]"'
DOCKERFILES: dict[str, tuple[str, str, str]] = {
    "none": (FROM, "no label", f"{FROM}{LINE}\n"),
    "none, and no line end": ("FROM a", "no label", f"FROM a\n{LINE}\n"),
    "empty": ("", "no label", f"{LINE}\n"),
    "an older one": (f"{FROM}{OLD}\nUSER x\n", "differs", f"{FROM}{LINE}\nUSER x\n"),
    "two": (f"FROM a\n{OLD}\nUSER x\n{LINE}\n", "more than once, in lines 2, 4", f"FROM a\n{LINE}\nUSER x\n"),
    "the same twice": (f"FROM a\n{LINE}\n{LINE}", "more than once", f"FROM a\n{LINE}"),
    "twice in one": (f"FROM a\nLABEL {NAME}=a {NAME}=b\n", "more than once", f"FROM a\n{LINE}\n"),
    "in an earlier stage": (f"FROM a\n{LINE}\nFROM b\n", "before its last FROM", f"FROM a\nFROM b\n{LINE}\n"),
    "in both stages": (f"FROM a\n{LINE}\nFROM b\n{OLD}\n", "more than once", f"FROM a\nFROM b\n{LINE}\n"),
    "lower case and tab": (f'from a\nlabel\t{NAME}="[]"\n', "differs", f"from a\n{LINE}\n"),
    "quoted name": (f'FROM a\nLABEL "{NAME}"="[]"\n', "differs", f"FROM a\n{LINE}\n"),
    "older form": (f"FROM a\nLABEL {NAME} []\n", "differs", f"FROM a\n{LINE}\n"),
    "single quotes": (f"FROM a\nLABEL {NAME}='[{{\"a\":1}}]'\n", "another form", f"FROM a\n{LINE}\n"),
    "with others": (
        f'FROM a\nLABEL x="1 2" {LINE.removeprefix("LABEL ")} y=3\nUSER x\n',
        "another form",
        f'FROM a\nLABEL x="1 2" y=3\n{LINE}\nUSER x\n',
    ),
    "over lines with a comment": (
        f"FROM a\nLABEL x=1 \\\n  # why\n\n  {NAME}=[] \\ \n  y=2\nUSER x\n",
        "in line 2",
        f"FROM a\nLABEL x=1 y=2\n{LINE}\nUSER x\n",
    ),
    "line ends of Windows": (f"FROM a\r\n{OLD}\r\nUSER x\r\n", "differs", f"FROM a\r\n{LINE}\r\nUSER x\r\n"),
    "none, line ends of Windows": ("FROM a\r\n", "no label", f"FROM a\r\n{LINE}\r\n"),
    "a byte order mark": (f"\ufeffFROM a\n{OLD}\n", "differs", f"\ufeffFROM a\n{LINE}\n"),
    "in a comment": (f"FROM a\n# {OLD}\n", "no label", f"FROM a\n# {OLD}\n{LINE}\n"),
    "in a script": (
        f"FROM a\nRUN <<-'E' cat\n{OLD}\n\tE\nUSER x\n",
        "no label",
        f"FROM a\nRUN <<-'E' cat\n{OLD}\n\tE\nUSER x\n{LINE}\n",
    ),
    "for images on top": (f"FROM a\nONBUILD {OLD}\n", "no label", f"FROM a\nONBUILD {OLD}\n{LINE}\n"),
    "in a command that goes on": (f"FROM a\nRUN x \\\n{OLD}\n", "no label", f"FROM a\nRUN x \\\n{OLD}\n{LINE}\n"),
    "another label of a like name": (f"FROM a\nLABEL {NAME}.x=1\n", "no label", f"FROM a\nLABEL {NAME}.x=1\n{LINE}\n"),
}


@pytest.mark.parametrize(("before", "said", "after"), DOCKERFILES.values(), ids=DOCKERFILES.keys())
def test_df_02_one_label_and_the_rest_as_it_was(before: str, said: str, after: str) -> None:
    assert said in problem(before, PLAIN)
    assert replaced(before, PLAIN) == after
    assert problem(after, PLAIN) == ""
    assert replaced(after, PLAIN) == after


@pytest.mark.parametrize("dockerfile", ["FROM a\nRUN x \\", "FROM a\nRUN <<E\nx\n", "FROM a\nRUN x \\\n"])
def test_df_02_nothing_is_added_to_an_instruction_that_goes_on(dockerfile: str) -> None:
    with pytest.raises(UsageError, match="cannot be added"):
        replaced(dockerfile, PLAIN)


@pytest.mark.parametrize("directive", ["# escape=`\n", "# syntax=docker/dockerfile:1\n#ESCAPE = `\n"])
def test_df_02_another_escape_character_is_refused(directive: str) -> None:
    with pytest.raises(UsageError, match="escape"):
        problem(f"{directive}FROM a\n{LINE}\n", PLAIN)
    assert problem(f"# syntax=docker/dockerfile:1\nFROM a\n# escape=`\n{LINE}\n", PLAIN) == ""


pieces = st.sampled_from(
    [
        "FROM a",
        LINE,
        OLD,
        f"LABEL x=1 {NAME}=[] y=2",
        "# c",
        "",
        "RUN x \\",
        "  y",
        "LABEL a=b \\",
        "RUN <<E",
        "E",
        "USER x",
    ]
)


@settings(max_examples=400)
@given(st.lists(pieces, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_df_02_writing_again_changes_nothing(lines: list[str], end: str) -> None:
    try:
        once = replaced(end.join(lines) + end, PLAIN)
    except UsageError:
        return
    assert replaced(once, PLAIN) == once
    found: list[Any] = [json.loads(value) for value in values(once)]
    assert found == [[PLAIN]]
