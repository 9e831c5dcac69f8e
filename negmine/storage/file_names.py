"""Names that come out of files and become part of a path."""

from __future__ import annotations

from typing import TypeGuard

# With what is added to it, a name stays below the 255 bytes that file systems allow.
_MOST_BYTES = 150


def is_file_name(name: object) -> TypeGuard[str]:
    """Return whether a name may become part of a path: letters, digits, ``-`` and ``_`` alone.

    Nothing made of these leads to another folder, is hidden, or is a name that a system reserves
    for itself.
    """
    return (
        isinstance(name, str)
        and name.replace("-", "").replace("_", "").isalnum()
        and len(name.encode()) <= _MOST_BYTES
    )


def is_inside(name: object) -> TypeGuard[str]:
    """Return whether a path with forward slashes stays in the folder that it is taken from."""
    return (
        isinstance(name, str)
        and name[:1] not in ("", "/")
        and "\0" not in name
        and not (".." in name and ".." in name.split("/"))
    )
