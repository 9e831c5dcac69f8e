"""The lock holds what pyproject.toml asks for, whole and by hash."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Where the lock is said to install, as the markers of requirements see it.
PLATFORMS = [
    {
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "python_version": version,
        "python_full_version": f"{version}.5",
    }
    for sys_platform, system, machine in [
        ("linux", "Linux", "x86_64"),
        ("linux", "Linux", "aarch64"),
        ("darwin", "Darwin", "arm64"),
    ]
    for version in ["3.11", "3.12", "3.13", "3.14"]
]


def locked(name: str) -> dict[str, list[tuple[str, Marker | None, list[str]]]]:
    """The pins of a lock by name: version, marker, hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    pins: defaultdict[str, list[tuple[str, Marker | None, list[str]]]] = defaultdict(list)
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for entry in filter(None, re.split(r"\n(?=\S)", lines)):
        requirement, *hashes = entry.replace("\\\n", "").split(" --hash=")
        parsed = Requirement(requirement)
        (pin,) = parsed.specifier
        assert pin.operator == "==", entry
        digests = [value.strip() for value in hashes]
        pins[canonicalize_name(parsed.name)].append((pin.version, parsed.marker, digests))
    return pins


def wanted(extra: str) -> Iterator[Requirement]:
    """The direct requirements of an extra ('': of the project), those it includes among them."""
    project = PROJECT["project"]
    listed = project["optional-dependencies"][extra] if extra else project["dependencies"]
    for text in listed:
        requirement = Requirement(text)
        if requirement.name == project["name"]:
            for included in requirement.extras:
                yield from wanted(included)
        else:
            yield requirement


def lock_of(extra: str) -> str:
    """The lock that holds an extra."""
    return "run" if extra in ("", "train") else "dev"


EXTRAS = ["", *PROJECT["project"]["optional-dependencies"]]


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: " ".join(list(p.values())[1:4]))
@pytest.mark.parametrize("extra", EXTRAS)
def test_a_requirement_is_pinned_within_its_bounds(extra: str, platform: dict[str, str]) -> None:
    pins = locked(lock_of(extra))
    build = [Requirement(text) for text in PROJECT["dependency-groups"]["build"]]
    for requirement in [*wanted(extra), *build]:
        versions = [
            version
            for version, marker, _ in pins[canonicalize_name(requirement.name)]
            if marker is None or marker.evaluate(platform)
        ]
        assert len(versions) == 1, f"{requirement.name}: {versions}"
        assert requirement.specifier.contains(versions[0]), f"{requirement}: {versions[0]}"


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: " ".join(list(p.values())[1:4]))
def test_what_builds_the_site_is_pinned_within_its_bounds(platform: dict[str, str]) -> None:
    pins, tested = locked("docs"), locked("dev")
    for requirement in map(Requirement, PROJECT["dependency-groups"]["docs"]):
        found = pins[canonicalize_name(requirement.name)]
        versions = [pin for pin, marker, _ in found if not marker or marker.evaluate(platform)]
        assert len(versions) == 1, f"{requirement.name}: {versions}"
        assert requirement.specifier.contains(versions[0])
    for name in pins.keys() & tested.keys():  # both are installed in one environment
        assert {version for version, *_ in pins[name]} == {v for v, *_ in tested[name]}, name


@pytest.mark.parametrize("name", ["run", "dev", "docs", "uv"])
def test_every_pin_has_hashes(name: str) -> None:
    pins = locked(name)
    assert pins
    for package, found in pins.items():
        for version, _, hashes in found:
            assert hashes, f"{package}=={version}"
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes)


def test_what_runs_is_what_was_tested() -> None:
    tested, run = locked("dev"), locked("run")
    for package, found in run.items():
        assert {version for version, *_ in found} <= {version for version, *_ in tested[package]}


def test_the_build_group_holds_what_the_build_system_requires() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(PROJECT["dependency-groups"]["build"])


def test_the_workflow_tries_every_python_that_the_metadata_names() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    tried = set(re.findall(r'"(3\.\d+)"', workflow))
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["project"]["classifiers"]), re.M)
    assert tried == set(named) == {platform["python_version"] for platform in PLATFORMS}


def test_the_trainer_alone_takes_torch() -> None:
    assert not {need.name for need in wanted("")} & {need.name for need in wanted("train")}
    assert {"torch", "torchaudio", "torchvision", "timm"} <= {need.name for need in wanted("train")}


@pytest.mark.parametrize("name", ["torch", "torchaudio", "torchvision"])
def test_libraries_that_load_together_alone_are_pinned_exactly(name: str) -> None:
    (found,) = [need for need in wanted("train") if need.name == name]
    assert [pin.operator for pin in found.specifier] == ["=="]
