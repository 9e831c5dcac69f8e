"""What negmine's own metadata asks for, and which extra brings a library that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# Extras that a user may choose; the others are for developers.
EXTRAS = ("train", "birdnet", "hoplite", "listen", "onnx", "tensorboard", "umap")

# What is imported under another name than it is installed under.
_MODULES = {
    "faiss-cpu": "faiss",
    "pillow": "PIL.Image",
    "scikit-learn": "sklearn",
    "umap-learn": "umap",
}


def module_of(library: str) -> str:
    """Return the module that a library is imported as."""
    return _MODULES.get(library, library.replace("-", "_"))


def requirements() -> Iterator[tuple[Requirement, str]]:
    """List what negmine requires, and the extra that brings it ('': negmine itself)."""
    from packaging.requirements import Requirement

    try:
        texts = requires("negmine") or []
    except PackageNotFoundError:  # run from its source
        return
    for text in texts:
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            yield need, ""
            continue
        for extra in EXTRAS:
            if need.name != "negmine" and need.marker.evaluate({"extra": extra}):
                yield need, extra


def what_is_missing(error: BaseException) -> str:
    """Say which extra brings the library that could not be imported.

    Parameters
    ----------
    error : BaseException
        Of an import.

    Returns
    -------
    str
        One line, or '' if the error is another, or no extra brings the library.
    """
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    library = error.name.partition(".")[0]
    for need, extra in requirements():
        if extra and module_of(need.name).partition(".")[0] == library:
            command = f"python -m pip install 'negmine[{extra}]'"
            return f"this needs {need.name}, which is not installed: {command}"
    return ""
