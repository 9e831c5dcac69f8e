"""Small data, what the commands make of it, and a count of what was tried."""

from __future__ import annotations

import sys

import pytest
from reliability.commands import Commands
from reliability.world import World, make_world

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]  # memory limits and forks as here are Linux's


class Trials:
    """What one test tried, and what went wrong."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.faults: list[str] = []

    def count(self, outcome: str) -> None:
        """Count a trial by how it ended: ``same``, ``refused``, ..."""
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    def fault(self, trial: object, what: object) -> None:
        """Keep what went wrong; the test goes on, and fails at its end."""
        self.count("FAULT")
        self.faults.append(f"{trial}: {what}")

    def check(self) -> None:
        """Fail if anything went wrong."""
        assert self.counts, "nothing was tried"
        assert not self.faults, f"{len(self.faults)} faults:\n" + "\n".join(self.faults[:40])


@pytest.fixture
def trials(request: pytest.FixtureRequest) -> Trials:
    made = Trials()
    # the report of the test takes them to the summary, whichever process ran it
    request.node.user_properties.append(("trials", made.counts))
    return made


@pytest.fixture(scope="session")
def made_world(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("reliability"), commands)


@pytest.fixture
def world(made_world: World) -> World:
    """The world's files, as they were made, to spoil as one likes."""
    made_world.restore()
    return made_world
