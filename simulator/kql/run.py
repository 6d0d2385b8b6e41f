"""Runs a query: a table, then operators joined by `|`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cmp_to_key
from typing import Any

from simulator.kql.expressions import AGGREGATES, Evaluate, Parser, Row, as_time
from simulator.kql.lexer import KqlError, Token, tokens

Table = list[tuple[Row, Callable[[], Iterator[Row]]]]
"""A table in parts: what all rows of a part have in common (their type, perhaps their status), and the rows.

Parts that the query's leading where clauses refuse on those grounds alone are never made.
"""
KNOWN = ({"type"}, {"properties.status"})


def run(text: str, tables: Mapping[str, Table], now: datetime) -> list[Row]:
    """The rows that a query answers; raises KqlError for one that cannot be run."""
    stages = _stages(tokens(text))
    name = stages[0][0].text.casefold() if stages and stages[0] else ""
    if len(stages[0]) != 1 or name not in tables:
        raise KqlError(f"unknown table {name!r}; there are: {', '.join(sorted(tables))}")
    table = tables[name]
    rest = stages[1:]
    rows: Iterable[Row] = _scan(table, rest, now)
    for stage in rest:
        away = [token.text for token in stage[:3]] == ["project", "-", "away"]
        operator = "project-away" if away else stage[0].text.casefold()
        if operator not in OPERATORS:
            raise KqlError(f"operator {operator!r} is not supported")
        parser = Parser(stage, now, 3 if away else 1)
        rows = OPERATORS[operator](parser, rows)
        if parser.place != len(stage):
            raise KqlError(f"unexpected {parser.peek()!r} after {operator}")
    return list(rows)


def _stages(found: list[Token]) -> list[list[Token]]:
    stages: list[list[Token]] = [[]]
    for token in found:
        if token.text == "|" and token.kind == "mark":
            stages.append([])
        else:
            stages[-1].append(token)
    if any(not stage for stage in stages):
        raise KqlError("an operator is missing")
    return stages


def _scan(table: Table, stages: list[list[Token]], now: datetime) -> Iterator[Row]:
    """The table's rows, leaving out parts that the leading where clauses refuse."""
    tests: list[tuple[str, Evaluate]] = []
    for stage in stages:
        if stage[0].text != "where":
            break
        tests += _part_tests(stage, now)
    for common, rows in table:
        told = {"type", *(f"properties.{name}" for name in common.get("properties", ()))}
        if all(test(common) for column, test in tests if column in told):
            yield from rows()


def _part_tests(stage: list[Token], now: datetime) -> list[tuple[str, Evaluate]]:
    parser = Parser(stage, now, 1)
    found: list[tuple[str, Evaluate]] = []
    while True:
        parser.columns.clear()
        test = parser.comparison()
        if parser.columns in KNOWN:
            found.append((next(iter(parser.columns)), test))
        if parser.peek() != "and":
            return [] if parser.peek() == "or" else found
        parser.take()


def _where(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:
    test = parser.expression()
    return (row for row in rows if test(row))


def _named(parser: Parser) -> tuple[str, Evaluate]:
    start = parser.place
    if parser.kind() == "name" and start + 1 < len(parser.tokens) and parser.tokens[start + 1].text == "=":
        name = parser.take()
        parser.take("=")
        return name, parser.expression()
    value = parser.expression()
    spelled = [token.text for token in parser.tokens[start : parser.place] if token.kind == "name"]
    return "_".join(spelled[:1] if "(" not in spelled else spelled) or "Column1", value


def _several(parser: Parser) -> list[tuple[str, Evaluate]]:
    found = [_named(parser)]
    while parser.peek() == ",":
        parser.take()
        found.append(_named(parser))
    return found


def _project(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:
    columns = _several(parser)
    return ({name: value(row) for name, value in columns} for row in rows)


def _extend(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:
    columns = _several(parser)

    def widened() -> Iterator[Row]:
        for row in rows:
            wide = dict(row)
            for name, value in columns:
                wide[name] = value(wide)
            yield wide

    return widened()


def _project_away(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:
    names = {name for name, _ in _several(parser)}
    return ({key: value for key, value in row.items() if key not in names} for row in rows)


def _take(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:
    count = int(parser.take())
    return (row for _, row in zip(range(count), rows, strict=False))


def _count(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:  # noqa: ARG001 one shape of operator
    return [{"Count": sum(1 for _ in rows)}]


def _compare(left: Any, right: Any) -> int:  # noqa: ANN401 columns hold anything
    if isinstance(left, datetime) or isinstance(right, datetime):
        left, right = as_time(left), as_time(right)
    if left is None or right is None:
        return (left is not None) - (right is not None)
    try:
        return int(left > right) - int(left < right)
    except TypeError:
        return 0


def _order(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:
    parser.take("by")
    found = list(rows)
    keys: list[tuple[Evaluate, bool]] = []
    while True:
        value = parser.expression()
        direction = parser.take() if parser.peek() in ("asc", "desc") else "desc"
        keys.append((value, direction == "desc"))
        if parser.peek() != ",":
            break
        parser.take()
    for value, down in reversed(keys):
        found.sort(key=lambda row, value=value: cmp_to_key(_compare)(value(row)), reverse=down)  # type: ignore[misc]
    return found


def _top(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:
    count = int(parser.take())
    return list(_order(parser, rows))[:count]


def _distinct(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:
    columns = _several(parser)
    seen: dict[str, Row] = {}
    for row in rows:
        narrow = {name: value(row) for name, value in columns}
        seen.setdefault(repr(narrow), narrow)
    return list(seen.values())


def _aggregate(parser: Parser) -> tuple[str, Callable[[list[Row]], object]]:
    name = ""
    if (
        parser.kind() == "name"
        and parser.place + 1 < len(parser.tokens)
        and parser.tokens[parser.place + 1].text == "="
    ):
        name = parser.take()
        parser.take("=")
    function = parser.take()
    if function not in AGGREGATES:
        raise KqlError(f"unknown aggregate {function!r}")
    parser.take("(")
    value = parser.expression() if parser.peek() != ")" else None
    parser.take(")")

    def compute(rows: list[Row]) -> object:
        if function == "count" or value is None:
            return len(rows)
        values = [v for v in (value(row) for row in rows) if v is not None]
        return _combined(function, values)

    return name or f"{function}_", compute


def _combined(function: str, values: list[Any]) -> object:
    if function == "countif":
        return sum(1 for value in values if value)
    if function == "dcount":
        return len({repr(value) for value in values})
    if function in ("make_list", "make_set"):
        return list(dict.fromkeys(values)) if function == "make_set" else values
    if not values:
        return None
    if function == "sum":
        return sum(values)
    if function == "avg":
        return sum(values) / len(values)
    return {"max": max, "min": min}.get(function, lambda v: v[0])(values)


def _summarize(parser: Parser, rows: Iterable[Row]) -> Iterable[Row]:
    aggregates: list[tuple[str, Callable[[list[Row]], object]]] = []
    while parser.peek() not in ("by", ""):
        aggregates.append(_aggregate(parser))
        if parser.peek() == ",":
            parser.take()
    keys: list[tuple[str, Evaluate]] = []
    if parser.peek() == "by":
        parser.take()
        keys = _several(parser)
    groups: dict[str, tuple[Row, list[Row]]] = {}
    for row in rows:
        key = {name: value(row) for name, value in keys}
        groups.setdefault(repr(key), (key, []))[1].append(row)
    if not keys and not groups:
        groups[""] = ({}, [])
    return [key | {name: compute(members) for name, compute in aggregates} for key, members in groups.values()]


OPERATORS: dict[str, Callable[[Parser, Iterable[Row]], Iterable[Row]]] = {
    "where": _where,
    "project": _project,
    "project-away": _project_away,
    "extend": _extend,
    "take": _take,
    "limit": _take,
    "count": _count,
    "order": _order,
    "sort": _order,
    "top": _top,
    "distinct": _distinct,
    "summarize": _summarize,
}
