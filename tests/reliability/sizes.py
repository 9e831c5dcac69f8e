"""How much each test tries: a little in the gate, much under ``make slow``."""

from __future__ import annotations

from collections.abc import Collection

import pytest

TIMES_MORE = 4

_SMALL = pytest.param(1, id="small")
_LARGE = pytest.param(TIMES_MORE, id="large", marks=pytest.mark.slow)

# A test multiplies what it tries by this argument.
sized = pytest.mark.parametrize("times", [_SMALL, _LARGE])


def sized_names(names: Collection[str], in_gate: Collection[str]) -> pytest.MarkDecorator:
    """Arguments ``name`` and ``times``: in the gate some of the names, else all, and more often."""
    small = [pytest.param(name, 1, id=f"{name}-small") for name in names if name in in_gate]
    large = [
        pytest.param(name, TIMES_MORE, id=f"{name}-large", marks=pytest.mark.slow) for name in names
    ]
    return pytest.mark.parametrize(("name", "times"), small + large)
