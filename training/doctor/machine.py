"""Python, processors, memory, disk and the terminal."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path

from training.doctor.check import Check

GIB = 2**30

# The demo writes 0.1 GiB; a cache of 100 hours at 32 kHz, 21 GiB.
_LEAST_DISK = GIB

# torch and the libraries beside it take 0.7 GiB before any sound is read.
_LEAST_MEMORY = 2 * GIB

# Worker processes hand over rows in shared memory; containers have 64 MiB by default.
_LEAST_SHARED = GIB // 2

_CGROUP = Path("/sys/fs/cgroup")
_SHARED = Path("/dev/shm")
_MEMORY = Path("/proc/meminfo")


def check_machine(folder: Path) -> Iterator[Check]:
    """Check what needs no library.

    Parameters
    ----------
    folder : Path
        Where results would be written.
    """
    yield check_python(sys.version_info[:2], versions_tested())
    yield check_processors(processors(), cpu_quota(_CGROUP))
    yield check_memory(memory_available(_MEMORY), memory_limit(_CGROUP))
    yield check_disk(folder)
    if _SHARED.is_dir():
        yield check_shared_memory(shutil.disk_usage(_SHARED).free)
    yield check_text(getattr(sys.stdout, "encoding", None), sys.getfilesystemencoding())


def check_python(running: tuple[int, int], tested: list[tuple[int, int]]) -> Check:
    """Check the version of Python against those that are tested."""
    implementation = platform.python_implementation()
    found = (
        f"{platform.python_version()} ({implementation}, {platform.system()} {platform.machine()})"
    )
    if running in tested or not tested:
        return Check("python", found)
    names = ", ".join(f"{major}.{minor}" for major, minor in tested)
    return Check("python", found, "note", f"tested are {names}")


def check_processors(cores: int, quota: float | None) -> Check:
    """Check the processors, and how much of them a container may use."""
    found = f"{cores} to use"
    if quota is None or quota >= cores:
        return Check("processors", found)
    threads = max(1, round(quota))
    return Check(
        "processors",
        f"{found}, but this container's share is {quota:.3g} of them",
        "note",
        f"set OMP_NUM_THREADS={threads}: more threads than that wait for one another",
    )


def check_memory(available: int | None, limit: int | None) -> Check:
    """Check the memory that is free, and that a container may use."""
    sizes = [size for size in (available, limit) if size is not None]
    if not sizes:
        return Check("memory", "not known on this system")
    found = f"{min(sizes) / GIB:.1f} GiB available"
    if limit is not None and limit == min(sizes):
        found += " (this container's limit)"
    if min(sizes) >= _LEAST_MEMORY:
        return Check("memory", found)
    return Check(
        "memory",
        found,
        "problem",
        f"end other programs or raise the limit: training takes {_LEAST_MEMORY / GIB:.0f} GiB",
    )


def check_disk(folder: Path) -> Check:
    """Return whether results can be written to a folder, and how much room there is."""
    try:
        free = shutil.disk_usage(folder).free
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".negmine-doctor-"):
            pass
    except OSError as error:
        found = f"this folder cannot be written to ({error.strerror})"
        return Check("disk", found, "problem", "run negmine in a folder of your own")
    found = f"{free / GIB:.1f} GiB free in this folder"
    if free >= _LEAST_DISK:
        return Check("disk", found)
    return Check("disk", found, "problem", "free some, or name another disk by --out")


def check_shared_memory(free: int) -> Check:
    """Check the room in /dev/shm, through which worker processes hand over rows."""
    found = f"{free / GIB:.2f} GiB free in {_SHARED}"
    if free >= _LEAST_SHARED:
        return Check("shared memory", found)
    return Check(
        "shared memory",
        found,
        "note",
        "train with --workers 0, or give the container more (docker run --shm-size=1g)",
    )


def check_text(output: str | None, names: str) -> Check:
    """Return whether names outside ASCII can be printed and opened."""
    found = f"output {output or 'unknown'}, file names {names}"
    try:
        for encoding in (output or "ascii", names):
            "é鳥".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return Check(
            "text",
            found,
            "problem",
            "set PYTHONUTF8=1 and unset PYTHONIOENCODING: classes and files whose names are not "
            "ASCII end a command",
        )
    return Check("text", found)


def processors() -> int:
    """Count the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(cgroup: Path) -> float | None:
    """Return processors' worth of time that a container may use, if it has a limit."""
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # no such file, or "max"
        return None


def memory_available(meminfo: Path) -> int | None:
    """Return bytes of memory that programs can still take, where the system says so."""
    try:
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def memory_limit(cgroup: Path) -> int | None:
    """Return bytes that a container may still take, if it has a limit."""
    try:
        limit = int((cgroup / "memory.max").read_text(encoding="ascii"))
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return None
    return max(0, limit - used)


def versions_tested() -> list[tuple[int, int]]:
    """Return the versions of Python that negmine's metadata names."""
    prefix = "Programming Language :: Python :: 3."
    minors = [
        line.removeprefix(prefix)
        for line in metadata("negmine").get_all("Classifier") or []
        if line.startswith(prefix)
    ]
    return [(3, int(minor)) for minor in minors]
