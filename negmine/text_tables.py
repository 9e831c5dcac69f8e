"""Tables as plain text, for people who read a terminal."""

from __future__ import annotations

from negmine.errors import visible


def table(headers: list[str], rows: list[list[str]]) -> str:
    """Format a plain table: first column and words to the left, numbers to the right."""
    headers, *rows = ([*map(visible, row)] for row in (headers, *rows))
    columns = list(zip(headers, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    words = [not n or any(map(_is_words, column[1:])) for n, column in enumerate(columns)]
    lines = []
    for row in [headers, ["-" * width for width in widths], *rows]:
        cells = [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, words, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _is_words(cell: str) -> bool:
    return " " in cell and any(map(str.isalpha, cell))
