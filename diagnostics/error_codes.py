"""What Azure Backup's error codes mean, and what helps: a table, its look-up, and the code inside a failed job.

The table is `error_codes.tsv` beside this file, one line an error. Azure spells the same error in many ways (a name with
or without `UserError`, a decimal or hexadecimal number, an `aka.ms` link, a sentence), so everything a person or a job
may hand in leads to one `ErrorCode` here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import TypeVar

_LONGEST_TEXT = 16_000
_NONE = "-"
_LIKE_ENOUGH = 0.45
_SHORTEST_CORE = 8

_Key = TypeVar("_Key", str, int)

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_HEX = re.compile(r"\b0x([0-9a-f]{3,16})\b", re.IGNORECASE)
_CUED_NUMBER = re.compile(r"\b(?:error|code|id|number|http|status)[\s:=#(]{1,8}(-?[0-9]{3,11})\b", re.IGNORECASE)
_LINK = re.compile(r"\baka\.ms/(AB-)?([A-Za-z0-9][A-Za-z0-9_-]{2,99})", re.IGNORECASE)
# Names that are codes even if this table does not know them yet. A capital must follow the English words among them.
_CODE_SHAPE = re.compile(
    r"(?:(?:BMS)?UserError|WlExt|CloudDos|StatusCode\.|DataTransferService|AzureIaaSVM|PitManager)\w+"
    r"|(?:Extension|GuestAgent|CBP|BCM|WSB|Sal|AFS|Cloud|Workload)[A-Z]\w+"
    r"|[A-Z]\w+UserError"
)
_THREE_HUMPS = re.compile(r"(?:[A-Z]+[a-z]{2,}){3,}")


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One error of Azure Backup, in this project's own words.

    `workloads` are of vm, sql, hana, files, mars, mabs and any; `operations` of backup, restore and configuration.
    `family` is the snake_case group that tells whether a later failure is something new. `transient` means that running
    the operation again later is the sensible first step. `checks` are the ids that confirm it and `fixes` the ids to try
    in that order; where a person has to mend something first (`remedy`), a `rerun_backup` among them comes after that.
    `phrases` are lower-case pieces of Azure's messages that give it away; `&` joins pieces that must all be there.
    """

    name: str
    spellings: tuple[str, ...]
    workloads: tuple[str, ...]
    operations: tuple[str, ...]
    family: str
    transient: bool
    checks: tuple[str, ...]
    fixes: tuple[str, ...]
    meaning: str
    causes: tuple[str, ...]
    remedy: str
    documentation: str
    phrases: tuple[str, ...]


class ErrorCodes:
    """The table, indexed so that a look-up costs a few dictionary reads."""

    def __init__(self, entries: Iterable[ErrorCode]) -> None:
        self._all = tuple(entries)
        self._names: dict[str, list[ErrorCode]] = {}
        self._cores: dict[str, list[ErrorCode]] = {}
        self._numbers: dict[int, list[ErrorCode]] = {}
        phrases: list[tuple[str, ErrorCode]] = []
        for entry in self._all:
            for spelling in (entry.name, *entry.spellings):
                number = _as_number(spelling)
                if number is not None:
                    _add(self._numbers, number, entry)
                key = _key(spelling)
                _add(self._names, key, entry)
                _add(self._cores, _core(key), entry)
                if " " in spelling:
                    phrases.append((spelling.casefold(), entry))
            phrases.extend((phrase, entry) for phrase in entry.phrases)
        # The longest phrase says the most, so it is tried first.
        self._phrases = sorted(
            ((tuple(phrase.split("&")), entry) for phrase, entry in phrases), key=lambda pair: -sum(map(len, pair[0]))
        )

    @cached_property
    def _trigrams(self) -> list[tuple[int, frozenset[str]]]:
        """The trigrams of every spelling with its entry's position; made when somebody first mistypes a code."""
        return [
            (position, _trigrams(_core(_key(spelling))))
            for position, entry in enumerate(self._all)
            for spelling in (entry.name, *entry.spellings)
        ]

    def all(self) -> tuple[ErrorCode, ...]:
        """Every entry, in the table's order."""
        return self._all

    def lookup(self, text: str, workload: str | None = None) -> ErrorCode | None:
        """Find the entry that a code, number, link or message names; None where nothing is certain.

        Letter case, blanks and punctuation in a name do not matter, nor a missing `UserError`. Numbers may be decimal
        (signed or not) or hexadecimal, with or without `0x` and leading zeros. In a longer text, names count before
        numbers, and numbers only where the text marks them as a code; sentences known from Azure's messages come last.
        `workload` decides where one spelling has several meanings; without it the table's order does. Never raises.
        """
        text = text[:_LONGEST_TEXT].strip()
        found = self._whole(text) or self._within(text)
        if found:
            return _choose(found, workload)
        plain = _plain(text)
        matching = [entry for parts, entry in self._phrases if all(part in plain for part in parts)]
        return matching[0] if matching else None

    def knows(self, name: str) -> bool:
        """Whether a name, in any case and with any punctuation, is written out in the table."""
        return _key(name) in self._names

    def nearest(self, text: str, limit: int = 3) -> tuple[ErrorCode, ...]:
        """Return entries spelled almost like the text, or like a word of it, best first; for "did you mean"."""
        words = sorted(_WORD.findall(text[:_LONGEST_TEXT]), key=len, reverse=True)[:3]
        wanted = [_trigrams(_core(_key(piece[:100]))) for piece in (text[:100], *words)]
        best: dict[int, float] = {}
        for position, known in self._trigrams:
            likeness = max(_likeness(each, known) for each in wanted)
            if likeness >= _LIKE_ENOUGH:
                best[position] = max(likeness, best.get(position, 0.0))
        ranked = sorted(best, key=lambda position: (-best[position], position))
        return tuple(self._all[position] for position in ranked[: max(limit, 0)])

    def _whole(self, text: str) -> list[ErrorCode] | None:
        """Entries that the whole text spells, as a name or a number."""
        key = _key(text)
        if key in self._names:
            return self._names[key]
        number = _as_number(text)
        if number in self._numbers:
            return self._numbers[number]
        if re.fullmatch(r"[0-9a-fA-F]{4,16}", text) and int(text, 16) in self._numbers:
            return self._numbers[int(text, 16)]
        return self._cores.get(_core(key))

    def _within(self, text: str) -> list[ErrorCode] | None:
        """Entries that a longer text mentions as a link, a name, or a number marked as a code."""
        for _, name in _LINK.findall(text):
            key = _key(name)
            found = self._names.get(key) or self._cores.get(_core(key))
            if found:
                return found
        for word in _words(text):
            if word in self._names:
                return self._names[word]
        for match in (*_HEX.finditer(text), *_CUED_NUMBER.finditer(text)):
            number = int(match[1], 16 if match.re is _HEX else 10) & 0xFFFFFFFF
            if number in self._numbers:
                return self._numbers[number]
        return None


@cache
def load() -> ErrorCodes:
    """Read the table from the package's data; once a process. Raises ValueError if a line has too many or few cells."""
    header, *lines = files("diagnostics").joinpath("error_codes.tsv").read_text("utf-8").splitlines()
    columns = header.split("\t")
    return ErrorCodes(_entry(dict(zip(columns, line.split("\t"), strict=True))) for line in lines)


def extract_code(
    title: str | None, number: int | str | None, text: str | None, recommendations: Sequence[str] | str | None
) -> str | None:
    """Return the most telling code of a job's error, as Azure wrote it; None where it names none.

    Azure has three shapes of an error: VM and database jobs have all four fields, storage and vault jobs have no title,
    MARS and DPM jobs only the sentence and recommendations. The order is: title, `aka.ms` link in the recommendations,
    a name in the sentence, a hexadecimal number in it, the number. Failing all of these, the name of the entry that
    the sentence is known for.
    """
    codes = load()
    title, text = (title or "").strip(), (text or "")[:_LONGEST_TEXT]
    advice = recommendations if isinstance(recommendations, str) else "\n".join(recommendations or ())
    hexadecimal = _HEX.search(text)
    plain_number = str(number or "").strip()
    return (
        _code_in_title(codes, title)
        or _code_in_link(codes, advice[:_LONGEST_TEXT])
        or _code_in_text(codes, text)
        or (f"0x{int(hexadecimal[1], 16):X}" if hexadecimal else None)
        or (plain_number if plain_number != "0" else None)
        or _code_by_sentence(codes, text)
    )


def _code_in_title(codes: ErrorCodes, title: str) -> str | None:
    # A title without blanks is a code, known or not; a title that is a sentence may still hold one.
    return title if title and not re.search(r"\s", title) else _code_in_text(codes, title)


def _code_in_link(codes: ErrorCodes, advice: str) -> str | None:
    # Most links lead to a page (`aka.ms/AB-AA4ecq5`), only some end in the code itself.
    for prefix, name in _LINK.findall(advice):
        if codes.knows(name) or _CODE_SHAPE.fullmatch(name) or (prefix and _THREE_HUMPS.fullmatch(name)):
            return str(name)
    return None


def _code_in_text(codes: ErrorCodes, text: str) -> str | None:
    for word in _WORD.findall(text):
        for piece in (word, *word.split(".")):
            if codes.knows(piece):
                return str(piece).strip(".")
    shaped = re.search(rf"\b(?:{_CODE_SHAPE.pattern})", text)
    return str(shaped[0]) if shaped else None


def _code_by_sentence(codes: ErrorCodes, text: str) -> str | None:
    entry = codes.lookup(text)
    return entry.name if entry else None


def _entry(cells: Mapping[str, str]) -> ErrorCode:
    return ErrorCode(
        name=cells["name"],
        spellings=_split(cells["spellings"], "; "),
        workloads=_split(cells["workloads"], " "),
        operations=_split(cells["operations"], " "),
        family=cells["family"],
        transient=cells["transient"] == "yes",
        checks=_split(cells["checks"], " "),
        fixes=_split(cells["fixes"], " "),
        meaning=cells["meaning"],
        causes=_split(cells["causes"], "; "),
        remedy=cells["remedy"],
        documentation=cells["documentation"],
        phrases=_split(cells["phrases"], "; "),
    )


def _split(cell: str, separator: str) -> tuple[str, ...]:
    return () if cell == _NONE else tuple(cell.split(separator))


def _add(index: dict[_Key, list[ErrorCode]], key: _Key, entry: ErrorCode) -> None:
    if entry not in index.setdefault(key, []):
        index[key].append(entry)


def _choose(entries: Sequence[ErrorCode], workload: str | None) -> ErrorCode:
    for wanted in (workload, "any") if workload else ():
        for entry in entries:
            if wanted.casefold() in entry.workloads:
                return entry
    return entries[0]


def _key(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _core(key: str) -> str:
    """A name without the word that half of all codes begin or end with."""
    core = key.removeprefix("statuscode").removeprefix("usererror").removesuffix("usererror")
    return core if len(core) >= _SHORTEST_CORE else key


def _words(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        yield _key(word)
        if "." in word:
            yield from map(_key, word.split("."))


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())


def _as_number(text: str) -> int | None:
    """The number that the whole text writes; a negative one as the unsigned 32-bit number that it stands for."""
    if re.fullmatch(r"-?[0-9]{1,11}", text):
        return int(text) & 0xFFFFFFFF
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}", text):
        return int(text, 16)
    return None


def _trigrams(key: str) -> frozenset[str]:
    padded = f"^{key}$"
    return frozenset(padded[start : start + 3] for start in range(len(padded) - 2))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other) or 1)
