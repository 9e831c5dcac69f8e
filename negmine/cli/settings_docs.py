"""The tables of settings in the docs: ``python -m negmine.cli.settings_docs`` writes them again.

In a page, ``<!-- settings: module:Model -->`` stands above the tables of a model, or
``<!-- settings: module:Model.section -->`` above that of one section, and ``<!-- settings end -->``
below them. In the place of a model, a function may be named that returns several.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from negmine.settings import Setting, Settings, needs_text, settings_of
from negmine.storage.files import writing

DOCS = Path(__file__).parents[2] / "docs"

_BLOCK = re.compile(
    r"(?P<begin><!-- settings: (?P<module>[\w.]+):(?P<model>\w+)(\.(?P<section>\w+))? -->\n).*?"
    r"(?P<end><!-- settings end -->)",
    re.DOTALL,
)


def filled(page: str) -> str:
    """Return a page with its tables of settings made again."""

    def block(found: re.Match[str]) -> str:
        tables = [settings_tables(model, found["section"]) for model in _models(found)]
        return found["begin"] + "".join(tables) + found["end"]

    return _BLOCK.sub(block, page)


def models_in(page: str) -> Iterator[type[Settings]]:
    """Yield the models whose tables a page has."""
    for found in _BLOCK.finditer(page):
        yield from _models(found)


def _models(found: re.Match[str]) -> list[type[Settings]]:
    named = getattr(import_module(found["module"]), found["model"])
    return [named] if isinstance(named, type) else list(named())


def settings_tables(model: type[Settings], section: str | None = None) -> str:
    """Return settings of a model, or of one section, as Markdown: a table for each heading."""
    tables = defaultdict(list)
    for one in settings_of(model):
        if section not in (None, one.path[0]):
            continue
        tables[one.group, one.path[:-1]].append(_row(model, one))
    lines = []
    for (group, path), rows in tables.items():
        where = f" `[{'.'.join(path)}]`" if path else ""
        lines += [f"**{group}**{where}", "", "| setting | flag | takes | default | |"]
        lines += ["|---|---|---|---|---|", *rows, ""]
    return "\n".join(lines) + "\n" if lines else ""


def _row(model: type[Settings], one: Setting) -> str:
    flags = ", ".join(f"`{flag}`" for flag in re.findall("[^,/]+", one.flag))
    text = one.help.split("  [default:")[0]
    if one.needs:
        text += f" Acts with {needs_text(model, one)}."
    cells = [f"`{one.path[-1]}`", flags, one.kind.words(), one.shown or _default(one.default), text]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    many = value if isinstance(value, tuple) else (value,)
    return ", ".join(f"{item:g}" if isinstance(item, float) else str(item) for item in many)


def main() -> None:
    """Write the tables of every page of the docs again."""
    for path in sorted(DOCS.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        if (new := filled(page)) != page:
            with writing(path) as temporary:
                temporary.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
