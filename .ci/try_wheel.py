"""Install the wheel in a fresh environment and run ``negmine demo --tiny`` by it, away from here.

    .venv/bin/python .ci/try_wheel.py dist

The libraries are those of the environment that runs this, found through a .pth file, so that torch
is not downloaded again. It proves that the wheel holds every module, template and recipe, and that
its programs and plug-ins are registered. It does not prove that the requirements in the wheel's
metadata suffice: `tests/test_requirements.py` holds those against the lock.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
from pathlib import Path


def main(dist: Path) -> None:
    """Try the one wheel in a folder; an error ends the program."""
    (wheel,) = dist.resolve().glob("*.whl")
    (sdist,) = dist.resolve().glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        away = Path(folder)
        python = fresh(away / "venv")
        install = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        install += ["--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
        run(install, away)
        where = "import negmine, training; print(negmine.__file__, training.__file__)"
        found = run([str(python), "-c", where], away).split()
        assert all(str(away) in path for path in found), f"not the wheel's: {found}"
        print(run([str(python.with_name("negmine")), "demo", "--tiny", "--json", "--quiet"], away))
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "tests/conftest.py", "requirements/run.txt"} <= files, sorted(files)
    print(f"{wheel.name}: installed, and the tiny demo ran by it; {sdist.name}: whole")


def fresh(folder: Path) -> Path:
    """Make an environment that finds the libraries of this one, but not negmine."""
    venv.create(folder, symlinks=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    here = sysconfig.get_path("purelib")
    # a .pth file adds the folder, and does not read the .pth files in it: this negmine's is one
    (packages / "libraries.pth").write_text(f"{here}\n", encoding="utf-8")
    return Path(sysconfig.get_path("scripts", "venv", paths)) / Path(sys.executable).name


def run(command: list[str], folder: Path) -> str:
    """Run a program in a folder and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: ended with {done.returncode}")
    return done.stdout.rstrip()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
