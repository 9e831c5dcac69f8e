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

    Builds for the CPU alone are replaced by such builds.
    """
    needs = [need.partition(";")[0].strip() for need in requires("negmine") or []]
    pins = " ".join(need for need in needs if need.partition("==")[0] in TRIO)
    if installed("torch").endswith("+cpu"):
        return f"uv pip install --torch-backend cpu {pins}"
    return f"python -m pip install {pins}"
