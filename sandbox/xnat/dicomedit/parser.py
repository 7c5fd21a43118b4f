"""The grammar of DicomEdit 6, as DE6Parser.g4 has it, read as a whole into the actions of a script."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from sandbox.xnat.dicomedit.elements import EVERYTHING, Pattern, delete, hashed, is_private, mapped, read, replace
from sandbox.xnat.dicomedit.script import Action, Run, Script, Value, choose, do, reject
from sandbox.xnat.dicomedit.tokens import ScriptError, Token, tokens, unquoted

_VERSION = re.compile(r"[46](?:\.\d+)*")
Item = TypeVar("Item")
_WORDS = {"hidden", "const", "immutable"}
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "~": lambda left, right: re.fullmatch(right, left) is not None,
    "!~": lambda left, right: re.fullmatch(right, left) is None,
}


@lru_cache(64)
def parse(text: str) -> Script:
    """Return the script that a text stands for.

    Raises
    ------
    ScriptError
    """
    parser = _Parser(list(tokens(text)))
    actions = tuple(parser.statements(""))
    return Script(actions, parser.last_tag)


@dataclass
class _Parser:
    """Reads tokens from the first to the last."""

    tokens: list[Token]
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
        elif not _VERSION.fullmatch(unquoted(self._next.text)):
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
        return lambda run: do(positive if condition(run) else negative, run)

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
        return lambda run: choose(condition(run), positive, negative, run)

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
        return reject

    def _procedure(self) -> Action | None:
        """Read a function that stands alone; None, and nothing is read, when a condition begins with it."""
        start, value = self.place, self._value()
        if self._next.text not in {*_COMPARISONS, "?"}:
            return value
        self.place = start
        return None

    def _assigned(self, target: Token) -> Action:
        if_exists = self._take().text == "?="
        value = self._value()
        if target.kind == "name":
            self.known.add(target.text)
            return lambda run: run.variables.__setitem__(target.text, value(run) or "")
        pattern = self._pattern(target.text)
        return lambda run: replace(run.dataset, pattern, value(run), if_exists=if_exists)

    # values

    def _condition(self, left: Value) -> Callable[[Run], bool]:
        compare = _COMPARISONS.get(self._next.text)
        if compare is None:
            return lambda run: left(run) == "true"
        is_negative = self._take().text.startswith("!")
        right = self._value()

        def holds(run: Run) -> bool:
            one, other = left(run), right(run)
            return is_negative if one is None or other is None else compare(one, other)

        return holds

    def _value(self) -> Value:
        token = self._take()
        if token.kind in {"text", "number"}:
            text = unquoted(token.text)
            return lambda _run: text
        if token.kind == "tag":
            pattern = self._pattern(token.text)
            return lambda run: read(run.dataset, pattern)
        if token.kind == "name" and self._takes("["):
            return self._called(token)
        if token.kind == "name" and token.text in self.known:
            return lambda run: run.variables.get(token.text, "")
        raise self._error(token)

    def _called(self, token: Token) -> Value:
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
        patterns = list(self._listed(lambda: self._pattern(unquoted(self._take().text))))

        def change(run: Run) -> None:
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
    def _next(self) -> Token:
        return self.tokens[self.place]

    def _take(self, kind: str = "") -> Token:
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

    def _error(self, token: Token | None = None) -> ScriptError:
        at = token or self._next
        return ScriptError(f"line {at.line}: mismatched input '{at.text.strip() or '<EOF>'}'")
