"""Folders of tables, such as Raven's: a table a recording."""

from __future__ import annotations

from pathlib import Path

# Of tables that a folder may hold many of. Databases and folders of clips are read whole.
SUFFIXES = frozenset((".csv", ".json", ".parquet", ".tsv", ".txt"))


def tables_in(folder: Path) -> list[Path]:
    """Return the tables of a folder that holds nothing else, by name; else none."""
    inside = _visible(folder)
    return inside if all(map(_is_table, inside)) else []


def described(folder: Path) -> str:
    """Say what a folder without folders holds, for a message: tables, and files of no table."""
    inside = _visible(folder)
    tables = sum(map(_is_table, inside))
    if not tables:
        return "a folder without any (of sound files of one class? name it with --positives)"
    return (
        f"a folder of {tables} tables and {len(inside) - tables} files that are none: name the "
        "tables, or move them to a folder of their own"
    )


def _visible(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if not one.name.startswith("."))


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()
