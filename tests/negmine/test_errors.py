"""Errors' helpers: guesses, short lists, exit codes."""

from __future__ import annotations

import pytest

from negmine import errors
from negmine.errors import NegmineError, did_you_mean, shorten


def test_the_nearest_name_is_guessed() -> None:
    assert did_you_mean("specie_id", ["species_id", "songtype_id"]) == " (did you mean species_id?)"
    assert did_you_mean("zzz", ["species_id"]) == ""
    assert did_you_mean("species_id", []) == ""


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (1, "0"), (2, "0, 1"), (3, "0, 1 and 1 more")]
)
def test_a_long_list_is_shortened(count: int, text: str) -> None:
    assert shorten(range(count), 2) == text


def test_a_long_name_is_shortened_and_never_guessed_at() -> None:
    name = "x" * 100_000
    assert len(shorten([name, "a"])) < 200
    assert did_you_mean(name, [name + "y"]) == ""


def test_what_the_user_called_wrongly_is_2_and_what_failed_is_1() -> None:
    codes = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, NegmineError)
    }
    assert codes == {
        "NegmineError": 1,
        "AudioError": 1,
        "OutputError": 1,
        "InputError": 2,
        "DamageError": 2,
        "AnnotationError": 2,
        "PoolError": 2,
        "ModelError": 2,
    }
