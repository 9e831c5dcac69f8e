"""What is used of torchaudio: numbers alone, with or without its compiled extension.

The extension loads beside one version of torch, and some builds of it beside torch with CUDA alone.
Where it does not load, torchaudio is imported as if it had been built without it: the mel filter
bank is the same.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

from training.models.versions import command_that_fits, trio_installed


def import_torchaudio() -> ModuleType:
    """Import torchaudio, without its extension where that does not load.

    Raises
    ------
    ImportError
        If it cannot be imported at all. The message is one line: what is installed, what fits, and
        the command that installs it.
    """
    try:
        return _import()
    except Exception as error:  # OSError, RuntimeError, ImportError: its loader passes all on
        failure = error
    # Python keeps a module that was imported whole before its package failed. Without this one
    # the extension was not reached, and something else is wrong.
    loader = sys.modules.get("torchaudio._extension.utils")
    if loader is not None:
        loader.__dict__["_load_lib"] = _no_library
        try:
            return _import()
        except Exception as error:
            failure = error
    reason = " ".join(f"{type(failure).__name__}: {failure}".split())
    raise ImportError(
        f"torchaudio cannot be imported ({reason}); installed: {trio_installed()}; "
        f"what fits: {command_that_fits()}",
        name="torchaudio",
    ) from failure


def has_extension(torchaudio: ModuleType) -> bool:
    """Return whether the compiled extension was loaded."""
    return bool(torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE)


def _import() -> ModuleType:
    import torchaudio

    return cast(ModuleType, torchaudio)


def _no_library(_: str) -> bool:
    """Find no compiled library, as in a build of torchaudio that has none."""
    return False


MelSpectrogram = import_torchaudio().transforms.MelSpectrogram
