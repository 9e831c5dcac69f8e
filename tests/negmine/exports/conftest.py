"""One selection for all tests of exports."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Data
from exporting import make_selection


@pytest.fixture(scope="session")
def selection(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A selection, beside its pool."""
    return make_selection(shared_data, tmp_path_factory.mktemp("mined"))
