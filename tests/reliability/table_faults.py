"""What happens to tables on their way through spreadsheets, scripts and hands."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from hypothesis import strategies as st

Rows = list[list[str]]

CELLS = [
    "", " ", "0", "-1", "1_0", "1e400", "-1e400", "nan", "inf", "1e-3", "+2", ".5", "5.", "0x10",
    "1,5", "1.5.2", "\uff11\uff12", "\u0663", "1 000", "True", "*", ";", "a;b", "'=1", "=1+1",
    "-x", "@cmd", "\t1", "a\x00b", "a\x1b[31mb", "\u202eabc", "\u200b0", "\u00a00", "\ud7ff",
    "\ufeff0", "é", "e\u0301", "\u017f", "x" * 300, "x" * 20_000, '"', "''", "\u2028", "a\nb",
    "../../etc", "9" * 400,
    "NULL", "#N/A", "1e", "--1", "1-1", "0.1.", "00", "1/2", "rec00", "0.0",
]  # fmt: skip


def faulty(rows: Rows) -> st.SearchStrategy[bytes]:
    """A table's bytes, after none to three faults."""
    cell_faults = st.lists(_cell_fault(rows), max_size=2)
    return st.builds(_written, st.just(rows), cell_faults, _text_fault())


Fault = Callable[[Rows], Rows]


def _cell_fault(rows: Rows) -> st.SearchStrategy[Fault]:
    row = st.integers(0, len(rows) - 1)
    column = st.integers(0, len(rows[0]) - 1)
    return st.one_of(
        st.builds(_set, row, column, st.sampled_from(CELLS)),
        st.builds(_set, st.integers(1, len(rows) - 1), column, st.sampled_from(CELLS)),
        st.builds(_respelt, row, column, st.sampled_from(list(_SPELLINGS))),
        st.builds(_respelt, row, column, st.sampled_from(list(_SPELLINGS))),
        st.builds(_without_column, column),
        st.builds(_column_again, column, st.sampled_from(["", "1", "x"])),
        st.builds(_swapped, column, column),
        st.builds(_longer, row, st.sampled_from(["", "note", "1"])),
        st.builds(_shorter, row),
        st.builds(_row_again, row, st.integers(1, len(rows))),
        st.builds(_copied, row, column, row),
        st.builds(_only, st.integers(0, 2)),
        st.builds(_blank_line, row),
    )


def _set(row: int, column: int, text: str) -> Fault:
    def apply(rows: Rows) -> Rows:
        if row < len(rows) and column < len(rows[row]):
            rows[row][column] = text
        return rows

    return apply


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "blank behind": lambda text: f"{text} ",
    "blank before": lambda text: f"  {text}",
    "tab behind": lambda text: f"{text}\t",
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "upper": str.upper,
    "float": lambda text: f"{text}.0",
    "zero before": lambda text: f"0{text}",
    "s before": lambda text: f"s{text}",
    "accent": lambda text: f"{text}a\u0303",
    "composed accent": lambda text: f"{text}\u00e3",
    "quoted": lambda text: f'"{text}"',
    "apostrophe": lambda text: f"'{text}",
}


def _respelt(row: int, column: int, how: str) -> Fault:
    def apply(rows: Rows) -> Rows:
        if row < len(rows) and column < len(rows[row]):
            rows[row][column] = _SPELLINGS[how](rows[row][column])
        return rows

    return apply


def _without_column(column: int) -> Fault:
    return lambda rows: [row[:column] + row[column + 1 :] for row in rows]


def _column_again(column: int, text: str) -> Fault:
    """Once more, the same or with other cells."""
    return lambda rows: [
        [*row, text if i and text else row[column] if column < len(row) else ""]
        for i, row in enumerate(rows)
    ]


def _swapped(one: int, other: int) -> Fault:
    def apply(rows: Rows) -> Rows:
        header = rows[0] if rows else []
        if max(one, other) < len(header):
            header[one], header[other] = header[other], header[one]
        return rows

    return apply


def _longer(row: int, text: str) -> Fault:
    return lambda rows: [[*r, text] if i == row else r for i, r in enumerate(rows)]


def _shorter(row: int) -> Fault:
    return lambda rows: [r[:-1] if i == row else r for i, r in enumerate(rows)]


def _row_again(row: int, place: int) -> Fault:
    return lambda rows: [
        *rows[:place],
        *([list(rows[row])] if row < len(rows) else []),
        *rows[place:],
    ]


def _copied(row: int, column: int, other: int) -> Fault:
    """A cell as in another row: a contradiction, or a duplicate in part."""

    def apply(rows: Rows) -> Rows:
        if max(row, other) < len(rows) and column < min(len(rows[row]), len(rows[other])):
            rows[row][column] = rows[other][column]
        return rows

    return apply


def _only(count: int) -> Fault:
    return lambda rows: rows[:count]


def _blank_line(row: int) -> Fault:
    return lambda rows: [*rows[:row], [], *rows[row:]]


_TEXT_FAULTS: dict[str, Callable[[str], bytes]] = {
    "none": str.encode,
    "mark of byte order": lambda text: text.encode("utf-8-sig"),
    "two marks": lambda text: ("\ufeff\ufeff" + text).encode(),
    "Windows' line ends": lambda text: text.replace("\n", "\r\n").encode(),
    "old Macs' line ends": lambda text: text.replace("\n", "\r").encode(),
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "decimal commas": lambda text: text.replace(".", ",").encode(),
    "a comma at the end of lines": lambda text: text.replace("\n", ",\n").encode(),
    "no last line end": lambda text: text.rstrip("\n").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "Latin-1": lambda text: text.encode("latin-1", "replace"),
    "an index without a name": lambda text: "\n".join(
        f"{i or ''},{line}" for i, line in enumerate(text.splitlines())
    ).encode(),
    "a line for Excel": lambda text: b"sep=,\n" + text.encode(),
    "a comment before": lambda text: b"# made by hand\n" + text.encode(),
    "a quote left open": lambda text: text.replace(",", ',"', 1).encode(),
    "a zero at the end": lambda text: text.encode() + b"\0",
    "cut": lambda text: text.encode()[: len(text) * 2 // 3],
    "blank lines between": lambda text: text.replace("\n", "\n\n").encode(),
    "blanks behind commas": lambda text: text.replace(",", ", ").encode(),
}


def _text_fault() -> st.SearchStrategy[str]:
    return st.one_of(st.just("none"), st.sampled_from(list(_TEXT_FAULTS)))


def _written(rows: Rows, faults: list[Fault], how: str) -> bytes:
    rows = [list(row) for row in rows]
    for fault in faults:
        rows = fault(rows)
    text = "".join(",".join(map(_quoted, row)) + "\n" for row in rows)
    return _TEXT_FAULTS[how](text.encode("utf-8", "replace").decode())


def _quoted(cell: str) -> str:
    """As a writer of CSV would: quotes where they are needed; now and then it forgot."""
    if any(mark in cell for mark in ',\n"') and not (cell[:1] == cell[-1:] == '"' != cell):
        return '"' + cell.replace('"', '""') + '"'
    return cell
