"""Which versions of torch, torchaudio and torchvision are installed, and which fit each other."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

TRIO = ("torch", "torchaudio", "torchvision")


def installed(name: str) -> str:
    """Return the version of an installed distribution, or ''."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def trio_installed() -> str:
    """Name and version of each of the three."""
    return ", ".join(f"{name} {installed(name) or '(missing)'}" for name in TRIO)


def command_that_fits() -> str:
    """Return the command that installs the three in the tested versions.

    Builds for the CPU alone are replaced by such builds. Where these versions are there already,
    what is there is replaced: an installer passes over it otherwise.
    """
    needs = [need.partition(";")[0].strip() for need in requires("negmine") or []]
    # several extras name them
    pins = dict.fromkeys(need for need in needs if need.partition("==")[0] in TRIO)
    there = {f"{name}=={installed(name).partition('+')[0]}" for name in TRIO}
    if installed("torch").endswith("+cpu"):
        command, again = "uv pip install --torch-backend cpu", "--reinstall"
    else:
        command, again = "python -m pip install", "--force-reinstall"
    return " ".join([command, *([again] if there == set(pins) else []), *pins])
