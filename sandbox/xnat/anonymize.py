"""A subset of DicomEdit 6, the language of XNAT's anonymisation scripts: parsed as a whole, then run on headers.

Grammar as in DicomEdit's own DE6Parser.g4 and DE6Lexer.g4. `sandbox/README.md` says what the subset leaves out; that is
a script error here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from pydicom.dataset import Dataset

from sandbox.xnat.elements import EVERYTHING, Pattern, delete, hashed, is_private, mapped, read, replace

_HEX = "[0-9A-Fa-fXx@#]"
_TOKEN = re.compile(
    rf"""(?P<space>[ \t]+|//[^\r\n]*)|(?P<newline>\r?\n)|(?P<text>"(?:\\.|[^"\\])*")
    |(?P<tag>\([ \t]*{_HEX}{{4}}[ \t]*,[ \t]*{_HEX}{{4}}[ \t]*\))|(?P<name>[A-Za-z_]\w*)|(?P<number>-?\d+(?:\.\d+)?)
    |(?P<sign>:=|\?=|!=|!~|[-=~?:,\[\](){{}}])""",
    re.VERBOSE,
)
_VERSION = re.compile(r"[46](?:\.\d+)*")
_WORDS = {"hidden", "const", "immutable"}
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "~": lambda left, right: re.fullmatch(right, left) is not None,
    "!~": lambda left, right: re.fullmatch(right, left) is None,
}


class ScriptError(Exception):
    """A script that cannot be read, or fails on an object."""


class _Rejected(Exception):
    """The script has said `reject`."""


@dataclass(slots=True)
class _Run:
    """One object that a script runs on."""

    dataset: Dataset
    variables: dict[str, str]


Value = Callable[[_Run], str | None]
Action = Callable[[_Run], object]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Script:
    """A script that was read.

    Attributes
    ----------
    last_tag
        The highest tag that it reads or changes.
    """

    actions: tuple[Action, ...]
    last_tag: int

    def accepts(self, dataset: Dataset, variables: Mapping[str, str]) -> bool:
        """Change an object as the script says; whether it is kept.

        Parameters
        ----------
        variables
            `project`, `subject` and `session`.

        Raises
        ------
        ScriptError
        """
        run = _Run(dataset, dict(variables))
        try:
            _do(self.actions, run)
        except _Rejected:
            return False
        return True


@lru_cache(64)
def parse(text: str) -> Script:
    """Return the script that a text stands for.

    Raises
    ------
    ScriptError
    """
    parser = _Parser(list(_tokens(text)))
    actions = tuple(parser.statements(""))
    return Script(actions, parser.last_tag)


def _tokens(text: str) -> Iterator[_Token]:
    place, line = 0, 1
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise ScriptError(f"line {line}: token recognition error at: '{text[place]}'")
        if found.lastgroup != "space":
            yield _Token(str(found.lastgroup), found[0], line)
        place = found.end()
        line += found[0].count("\n")
    yield _Token("end", "", line)


@dataclass
class _Parser:
    """Reads tokens from the first to the last."""

    tokens: list[_Token]
    place: int = 0
    last_tag: int = 0
    known: set[str] = field(default_factory=lambda: {"project", "subject", "session"})

    # statements

    def statements(self, end: str) -> Iterator[Action]:
        """Yield statements up to a closing brace, or to the end of the script."""
        self._skip_lines()
        while self._next.text != end:
            if action := self._statement(end):
                yield action
            self._skip_lines()

    def _statement(self, end: str) -> Action | None:
        if self._takes("if"):
            return self._branches()
        action: Action | None = None
        if self._next.text in {"version", "describe", "export"}:
            self._skip_declaration()
        else:
            action = self._simple()
        if self._next.kind not in {"newline", "end"} and self._next.text != end:
            raise self._error()
        return action

    def _skip_declaration(self) -> None:
        """Read what changes nothing: version, describe and export."""
        if self._take().text != "version":
            self.known.add(self._take("name").text)
            if self._next.text in _WORDS:
                self._take()
                return
        elif not _VERSION.fullmatch(_unquoted(self._next.text)):
            raise ScriptError(f"Unsupported version: {self._next.text}")
        self._take("text")

    def _branches(self) -> Action:
        self._expect("(")
        condition = self._condition(self._value())
        self._expect(")")
        positive = self._block()
        negative: tuple[Action, ...] = ()
        if self._takes("elseif"):
            negative = (self._branches(),)
        elif self._takes("else"):
            negative = self._block()
        return lambda run: _do(positive if condition(run) else negative, run)

    def _block(self) -> tuple[Action, ...]:
        self._skip_lines()
        self._expect("{")
        actions = tuple(self.statements("}"))
        self._expect("}")
        self._skip_lines()
        return actions

    def _simple(self) -> Action:
        """Read an action, or a condition with the actions that follow from it."""
        if action := self._action():
            return action
        condition = self._condition(self._value())
        self._expect("?")
        positive = self._conditional()
        negative = self._conditional() if self._takes(":") else None
        return lambda run: _choose(condition(run), positive, negative, run)

    def _conditional(self) -> Action:
        action = self._action()
        if action is None:
            raise self._error()
        return action

    def _action(self) -> Action | None:
        """Read an action; None, and nothing is read, when what comes next is no action."""
        start, first = self.place, self._take()
        if first.text == "-":
            pattern = self._pattern(self._take("tag").text)
            return lambda run: delete(run.dataset, pattern)
        if first.text in {"removeAllPrivateTags", "reject"}:
            return self._word(first.text)
        if first.kind in {"tag", "name"} and self._next.text in {":=", "?="}:
            return self._assigned(first)
        is_call = first.kind == "name" and self._next.text == "["
        self.place = start
        return self._procedure() if is_call else None

    def _word(self, word: str) -> Action:
        if word == "removeAllPrivateTags":
            self.last_tag = EVERYTHING
            return lambda run: delete(run.dataset, is_private)
        if self._takes("["):
            self._expect("]")
        return _reject

    def _procedure(self) -> Action | None:
        """Read a function that stands alone; None, and nothing is read, when a condition begins with it."""
        start, value = self.place, self._value()
        if self._next.text not in {*_COMPARISONS, "?"}:
            return value
        self.place = start
        return None

    def _assigned(self, target: _Token) -> Action:
        if_exists = self._take().text == "?="
        value = self._value()
        if target.kind == "name":
            self.known.add(target.text)
            return lambda run: run.variables.__setitem__(target.text, value(run) or "")
        pattern = self._pattern(target.text)
        return lambda run: replace(run.dataset, pattern, value(run), if_exists=if_exists)

    # values

    def _condition(self, left: Value) -> Callable[[_Run], bool]:
        compare = _COMPARISONS.get(self._next.text)
        if compare is None:
            return lambda run: left(run) == "true"
        is_negative = self._take().text.startswith("!")
        right = self._value()

        def holds(run: _Run) -> bool:
            one, other = left(run), right(run)
            return is_negative if one is None or other is None else compare(one, other)

        return holds

    def _value(self) -> Value:
        token = self._take()
        if token.kind in {"text", "number"}:
            text = _unquoted(token.text)
            return lambda _run: text
        if token.kind == "tag":
            pattern = self._pattern(token.text)
            return lambda run: read(run.dataset, pattern)
        if token.kind == "name" and self._takes("["):
            return self._called(token)
        if token.kind == "name" and token.text in self.known:
            return lambda run: run.variables.get(token.text, "")
        raise self._error(token)

    def _called(self, token: _Token) -> Value:
        """Read the arguments of a function and return what it does."""
        if token.text in {"hashUIDList", "mapReferencedUIDs"}:
            return self._changer(token.text)
        values = list(self._listed(self._value))
        functions: dict[str, Callable[..., str | None]] = {
            "hashUID": hashed,
            "concatenate": lambda *texts: "".join(text or "" for text in texts),
            "lowercase": lambda text: text and text.lower(),
            "uppercase": lambda text: text and text.upper(),
        }
        if token.text not in functions or (token.text != "concatenate" and len(values) != 1):
            raise ScriptError(f"line {token.line}: unknown function {token.text} with {len(values)} arguments")
        return lambda run: functions[token.text](*(value(run) for value in values))

    def _changer(self, name: str) -> Value:
        """Return what changes the UIDs that its arguments name: tags, or texts with tags in them."""
        root = self._value() if name == "mapReferencedUIDs" else None
        if root:
            self._expect(",")
        patterns = list(self._listed(lambda: self._pattern(_unquoted(self._take().text))))

        def change(run: _Run) -> None:
            prefix = root(run) or "" if root else ""
            for pattern in patterns:
                for tag in pattern.found(run.dataset):
                    old = read(run.dataset, Pattern.of(tag))
                    replace(run.dataset, Pattern.of(tag), mapped(prefix, old) if root else hashed(old))

        return change

    def _listed(self, item: Callable[[], Item]) -> Iterator[Item]:
        while not self._takes("]"):
            yield item()
            if self._next.text != "]":
                self._expect(",")

    def _pattern(self, text: str) -> Pattern:
        try:
            pattern = Pattern.read(text)
        except ValueError:
            raise ScriptError(f"line {self._next.line}: {text} is no tag that this server knows") from None
        self.last_tag = max(self.last_tag, pattern.last_tag)
        return pattern

    # tokens

    @property
    def _next(self) -> _Token:
        return self.tokens[self.place]

    def _take(self, kind: str = "") -> _Token:
        token = self._next
        if token.kind == "end" or kind not in {"", token.kind}:
            raise self._error()
        self.place += 1
        return token

    def _takes(self, text: str) -> bool:
        is_there = self._next.text == text
        self.place += is_there
        return is_there

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise self._error()

    def _skip_lines(self) -> None:
        while self._next.kind == "newline":
            self.place += 1

    def _error(self, token: _Token | None = None) -> ScriptError:
        at = token or self._next
        return ScriptError(f"line {at.line}: mismatched input '{at.text.strip() or '<EOF>'}'")


def _do(actions: Iterable[Action], run: _Run) -> None:
    for action in actions:
        action(run)


def _choose(holds: bool, positive: Action, negative: Action | None, run: _Run) -> None:  # noqa: FBT001  what was found
    if holds:
        positive(run)
    elif negative:
        negative(run)


def _reject(_run: _Run) -> None:
    raise _Rejected


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
