"""A second reader of CSV, strict and slow, that shares no code with negmine's."""

from __future__ import annotations

import re
import unicodedata
from math import isfinite

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class NoMeaningError(Exception):
    """A table that says no one thing."""


def rows_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a table, by column.

    Raises
    ------
    NoMeaningError
        If it is not UTF-8, quotes are open or closed in the middle, a column has no name or that of
        another, or a row is longer or shorter than the header.
    """
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise NoMeaningError("not UTF-8") from error
    if "\0" in text:
        raise NoMeaningError("a zero")
    records = [[_clean(cell) for cell in record] for record in _records(text)]
    if not records:
        raise NoMeaningError("empty")
    header, *rows = records
    if "" in header or len(set(header)) < len(header):
        raise NoMeaningError("a column without a name, or with that of another")
    if any(len(row) != len(header) for row in rows):
        raise NoMeaningError("a row of another length")
    return [dict(zip(header, row, strict=True)) for row in rows]


def number(text: str) -> float:
    """A plain decimal number.

    Raises
    ------
    NoMeaningError
        If the text is none, or too large.
    """
    if not _NUMBER.fullmatch(text) or not isfinite(float(text)):
        raise NoMeaningError(f"'{text}' is no number")
    return float(text)


def names(cell: str) -> list[str]:
    """What a cell lists between semicolons."""
    return [name for part in cell.split(";") if (name := _clean(part))]


def _clean(cell: str) -> str:
    cell = unicodedata.normalize("NFC", cell).strip()
    # an apostrophe keeps spreadsheets from taking a name for a formula
    return cell[1:] if re.match(r"'+[=+\-@]", cell) else cell


def _records(text: str) -> list[list[str]]:
    records: list[list[str]] = []
    record: list[str] = []
    at = 0
    while at < len(text):
        cell, at = _one(text, at)
        record.append(cell)
        if text[at : at + 1] == ",":
            at += 1
            if at < len(text):
                continue
            record.append("")
        elif text[at : at + 2] == "\r\n":
            at += 2
        else:
            at += 1
        if record != [""]:
            records.append(record)
        record = []
    return records


def _one(text: str, at: int) -> tuple[str, int]:
    """A cell that begins at a place, and where it ends."""
    while text[at : at + 1] == " ":
        at += 1
    if text[at : at + 1] != '"':
        end = at
        while end < len(text) and text[end] not in ",\r\n":
            end += 1
        return text[at:end], end
    cell = ""
    at += 1
    while True:
        end = text.find('"', at)
        if end < 0:
            raise NoMeaningError("a quote is left open")
        cell += text[at:end]
        at = end + 1
        if text[at : at + 1] != '"':
            break
        cell += '"'
        at += 1
    if at < len(text) and text[at] not in ",\r\n":
        raise NoMeaningError("something behind a quote")
    return cell, at
