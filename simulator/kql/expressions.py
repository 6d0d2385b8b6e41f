"""Expressions of a query, turned into functions of a row."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.kql.lexer import KqlError, Token

Row = dict[str, Any]
Evaluate = Callable[[Row], Any]
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
AGGREGATES = ("count", "countif", "dcount", "max", "min", "sum", "avg", "make_list", "make_set", "any", "take_any")


def as_time(value: object) -> datetime | None:
    """A value as an instant; None where it is none."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def as_text(value: object) -> str:
    """A value as text, nothing for null, JSON for objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _as_int(value: object) -> int | None:
    try:
        return int(float(as_text(value)))
    except ValueError:
        return None


def _folded(value: object) -> str:
    return as_text(value).casefold()


def _has(whole: object, part: object) -> bool:
    text, wanted = _folded(whole), _folded(part)
    place = text.find(wanted)
    while place >= 0:
        before = text[place - 1 : place]
        after = text[place + len(wanted) : place + len(wanted) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        place = text.find(wanted, place + 1)
    return False


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    def check(left: object, right: object) -> bool:
        if isinstance(left, datetime) or isinstance(right, datetime):
            left, right = as_time(left), as_time(right)
        if left is None or right is None:
            return False
        try:
            return compare(left, right)
        except TypeError:
            return False

    return check


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "=~": lambda a, b: _folded(a) == _folded(b),
    "!~": lambda a, b: _folded(a) != _folded(b),
    "<": _ordered(lambda a, b: a < b),
    ">": _ordered(lambda a, b: a > b),
    "<=": _ordered(lambda a, b: a <= b),
    ">=": _ordered(lambda a, b: a >= b),
    "has": _has,
    "!has": lambda a, b: not _has(a, b),
    "contains": lambda a, b: _folded(b) in _folded(a),
    "!contains": lambda a, b: _folded(b) not in _folded(a),
    "startswith": lambda a, b: _folded(a).startswith(_folded(b)),
    "!startswith": lambda a, b: not _folded(a).startswith(_folded(b)),
    "endswith": lambda a, b: _folded(a).endswith(_folded(b)),
}
LISTS = ("in", "in~", "!in", "!in~")


def _functions(now: datetime) -> dict[str, Callable[..., Any]]:
    return {
        "tostring": as_text,
        "toint": _as_int,
        "tolong": _as_int,
        "todouble": lambda v: float(as_text(v)) if as_text(v) else None,
        "tobool": lambda v: _folded(v) == "true",
        "todatetime": as_time,
        "datetime": as_time,
        "tolower": _folded,
        "toupper": lambda v: as_text(v).upper(),
        "strcat": lambda *v: "".join(map(as_text, v)),
        "split": lambda v, by: as_text(v).split(as_text(by)),
        "replace_string": lambda v, old, new: as_text(v).replace(as_text(old), as_text(new)),
        "strlen": lambda v: len(as_text(v)),
        "array_length": lambda v: len(v) if isinstance(v, list) else None,
        "ago": lambda length: now - length,
        "now": lambda *length: now + sum(length, timedelta()),
        "isempty": lambda v: as_text(v) == "",
        "isnotempty": lambda v: as_text(v) != "",
        "isnull": lambda v: v is None,
        "isnotnull": lambda v: v is not None,
        "coalesce": lambda *v: next((one for one in v if one is not None), None),
        "parse_json": lambda v: json.loads(v) if isinstance(v, str) and v else v,
        "todynamic": lambda v: v,
        "not": lambda v: not v,
        "iff": lambda test, yes, no: yes if test else no,
        "iif": lambda test, yes, no: yes if test else no,
        "max_of": max,
        "min_of": min,
    }


@dataclass(slots=True)
class Parser:
    """Reads expressions from a list of tokens."""

    tokens: list[Token]
    now: datetime
    place: int = 0
    columns: set[str] = field(default_factory=set)

    def peek(self) -> str:
        """The next token's text, "" at the end."""
        return self.tokens[self.place].text if self.place < len(self.tokens) else ""

    def kind(self) -> str:
        """The next token's kind, "" at the end."""
        return self.tokens[self.place].kind if self.place < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        """The next token's text; raises KqlError if it is not the wanted one."""
        text = self.peek()
        if not text or (wanted and text != wanted):
            raise KqlError(f"expected {wanted or 'more'!r}, got {text or 'the end'!r}")
        self.place += 1
        return text

    def expression(self) -> Evaluate:
        """An expression with or, and, comparisons, sums and products."""
        left = self._conjunction()
        while self.peek() == "or":
            self.take()
            left = _either(left, self._conjunction())
        return left

    def _conjunction(self) -> Evaluate:
        left = self.comparison()
        while self.peek() == "and":
            self.take()
            left = _both(left, self.comparison())
        return left

    def comparison(self) -> Evaluate:
        """A comparison, or what stands alone."""
        left = self._sum()
        operator = self.peek()
        if operator in COMPARISONS:
            self.take()
            return _compared(COMPARISONS[operator], left, self._sum())
        if operator in LISTS:
            self.take()
            return _among(operator, left, self._list())
        return left

    def _list(self) -> list[Evaluate]:
        self.take("(")
        found = [self.expression()]
        while self.peek() == ",":
            self.take()
            found.append(self.expression())
        self.take(")")
        return found

    def _sum(self) -> Evaluate:
        left = self._product()
        while self.peek() in ("+", "-"):
            left = _arithmetic(self.take(), left, self._product())
        return left

    def _product(self) -> Evaluate:
        left = self._postfix()
        while self.peek() in ("*", "/"):
            left = _arithmetic(self.take(), left, self._postfix())
        return left

    def _postfix(self) -> Evaluate:
        start = self.place
        value = self._primary()
        plain = self.place == start + 1 and self.tokens[start].kind == "name"
        while self.peek() in (".", "["):
            if self.take() == ".":
                name = self.take()
                if plain and self.place == start + 3:
                    self.columns.discard(self.tokens[start].text)
                    self.columns.add(f"{self.tokens[start].text}.{name}")
                value = _member(value, name)
            else:
                value = _index(value, self.expression())
                self.take("]")
        return value

    def _primary(self) -> Evaluate:
        kind, text = self.kind(), self.take()
        if text == "(":
            inside = self.expression()
            self.take(")")
            return inside
        if text == "-":
            return _arithmetic("-", lambda _: 0, self._primary())
        if kind == "string":
            return _constant(text.lstrip("@")[1:-1].replace("\\\\", "\\"))
        if kind == "number":
            return _constant(float(text) if "." in text else int(text))
        if kind == "span":
            unit = text.lstrip("0123456789.")
            return _constant(timedelta(seconds=float(text.removesuffix(unit)) * UNITS[unit]))
        if kind != "name":
            raise KqlError(f"unexpected {text!r}")
        if text in ("true", "false"):
            return _constant(text == "true")
        if self.peek() == "(":
            return self._call(text)
        self.columns.add(text)
        return lambda row: row.get(text)

    def _call(self, name: str) -> Evaluate:
        function = _functions(self.now).get(name)
        if function is None:
            raise KqlError(f"unknown function {name!r}")
        self.take("(")
        arguments: list[Evaluate] = []
        if name == "datetime" and self.kind() not in ("string", "name"):
            literal = ""
            while self.peek() != ")":
                literal += self.take()
            arguments.append(_constant(literal))
        while self.peek() != ")":
            arguments.append(self.expression())
            if self.peek() == ",":
                self.take()
        self.take(")")
        return lambda row: function(*(argument(row) for argument in arguments))


def _constant(value: object) -> Evaluate:
    return lambda _: value


def _both(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda row: bool(left(row)) and bool(right(row))


def _either(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda row: bool(left(row)) or bool(right(row))


def _compared(compare: Callable[[Any, Any], bool], left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda row: compare(left(row), right(row))


def _among(operator: str, left: Evaluate, choices: list[Evaluate]) -> Evaluate:
    convert: Callable[[object], Any] = _folded if operator.endswith("~") else lambda value: value
    wanted = not operator.startswith("!")

    def check(row: Row) -> bool:
        value = convert(left(row))
        return any(convert(choice(row)) == value for choice in choices) is wanted

    return check


def _arithmetic(operator: str, left: Evaluate, right: Evaluate) -> Evaluate:
    def compute(row: Row) -> object:
        first, second = left(row), right(row)
        if first is None or second is None:
            return None
        try:
            if operator == "+":
                return first + second
            if operator == "-":
                return first - second
            return first * second if operator == "*" else first / second
        except (TypeError, ZeroDivisionError):
            return None

    return compute


def _member(value: Evaluate, name: str) -> Evaluate:
    def read(row: Row) -> object:
        holder = value(row)
        return holder.get(name) if isinstance(holder, dict) else None

    return read


def _index(value: Evaluate, index: Evaluate) -> Evaluate:
    def read(row: Row) -> object:
        holder, wanted = value(row), index(row)
        if isinstance(holder, list) and isinstance(wanted, int):
            return holder[wanted] if -len(holder) <= wanted < len(holder) else None
        return holder.get(wanted) if isinstance(holder, dict) else None

    return read
