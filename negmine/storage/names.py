"""Names of classes and recordings: one spelling each, and which are easily taken for another.

Every name that enters from outside (a cell of a table, a file's name, an option, a setting) passes
`clean_name`, so that a name of a table meets the file that a person sees under that name.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator

# A file system allows 255 bytes; longer names are a damaged table, or an attack.
LONGEST_NAME = 255

# Groups of names that are warned of by name.
_MOST_LINES = 5

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


def clean_name(text: str) -> str:
    r"""Strip blanks round a name, and compose its accents (Unicode NFC).

    Examples
    --------
    >>> clean_name(" Ra\u0303 ") == "R\u00e3"
    True
    """
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip()


# A setting that is one.
Name = Annotated[str, AfterValidator(clean_name)]


def odd_character(name: str) -> str | None:
    """Find the first character that cannot be seen or typed, as ``U+001B``; None without."""
    if name.isprintable():
        return None
    for letter in name:
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp"):
            return f"U+{ord(letter):04X}"
    return None


def is_name(text: str) -> bool:
    """Whether a text can be a name: not empty, not too long, without control characters."""
    return 0 < len(text) <= LONGEST_NAME and odd_character(text) is None


def sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    """Sort different names, by number where all are whole numbers, else by name.

    Names equal as numbers are ordered by name, so that the order is the same in every process.

    Examples
    --------
    >>> sorted_names(["10", "9", "7", "007"])
    ('007', '7', '9', '10')
    """
    found = set(names)
    if all(name.isascii() and name.isdigit() for name in found):
        return tuple(sorted(found, key=_by_number))
    return tuple(sorted(found))


def _by_number(name: str) -> tuple[int, str, str]:
    # not int(): that refuses numbers of thousands of digits
    digits = name.lstrip("0")
    return len(digits), digits, name


def look_alikes(counts: Mapping[str, int], what: str, where: str) -> list[str]:
    """Describe each group of names that differ by case, by a number's writing, or invisibly.

    Parameters
    ----------
    counts : mapping of str to int
        How many times each name appears.
    what : str
        Such as ``classes``.
    where : str
        Where they appear, for the message.
    """
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in counts:
        alike[_folded(name)].append(name)
    groups = [sorted(names) for names in alike.values() if len(names) > 1]
    lines = [
        f"{where}: the {what} {_counted(names, counts)} differ only in case, in how a number is "
        "written, or in what cannot be seen; each counts separately: are they the same?"
        for names in groups[:_MOST_LINES]
    ]
    if len(groups) > _MOST_LINES:
        lines.append(f"{where}: {len(groups) - _MOST_LINES} more groups of {what} look alike")
    return lines


def _counted(names: Sequence[str], counts: Mapping[str, int]) -> str:
    said = [f"'{name}' ({counts[name]} times)" for name in names[:5]]
    more = [f"{len(names) - 5} more"] if len(names) > 5 else []
    return " and ".join(said + more)


def _folded(name: str) -> str:
    """Return what names that are easily taken for each other have in common."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
    seen = " ".join(seen.split())
    if _NUMBER.fullmatch(seen):
        whole, _, part = seen.partition(".")
        part = part.rstrip("0")
        return f"{whole.lstrip('0') or '0'}{'.' if part else ''}{part}"
    return seen
