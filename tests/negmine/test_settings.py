"""Settings are declared once: files, flags and records of them say the same."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import pytest
import tomli_w
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from negmine.audit.settings import DrawSettings
from negmine.building.settings import PoolSettings
from negmine.cli.console import CleanCommand
from negmine.cli.settings import config_option, settings_options, take_settings
from negmine.errors import InputError
from negmine.pool.settings import RowChoice
from negmine.scores.settings import SearchSettings
from negmine.settings import (
    Ascending,
    Kind,
    Setting,
    Settings,
    Share,
    When,
    first_flag,
    no_effect,
    read_record,
    setting,
    settings_from,
    settings_of,
    updated,
)


class Soil(Settings, frozen=True):
    """What is below.

    More of it.
    """

    depth_m: Annotated[float, Field(gt=0, lt=3)] | None = setting(None, "How deep.")
    layers: Ascending[Annotated[int, Field(ge=1)]] = setting((1, 4), "Range.", metavar="LOW HIGH")
    worms: bool = setting(False, "Whether there are.")
    slope: float = setting(0.0, "How steep.")


class Garden(Settings, frozen=True):
    """A garden."""

    beds: Annotated[int, Field(ge=0, le=9)] = setting(0, "How many beds.", common=True)
    crop: Literal["bean", "leek"] = setting("bean", "In them.", needs=When("beds"))
    names: tuple[str, ...] = setting((), "Of beds.", needs=(When("beds", least=2), When("--plan")))
    stakes: Share = setting(0.5, "Of beans.", group="Beans", needs=When("crop", "bean"))
    water: bool = setting(True, "Whether to.", needs=When("soil.worms"))
    soil: Soil = Soil()

    @model_validator(mode="after")
    def _no_worms_without_beds(self) -> Garden:
        if self.soil.worms and not self.beds:
            raise ValueError("worms need beds")
        return self


def command_of(model: type[Settings], take: Callable[[Any], None]) -> click.Command:
    @click.command(cls=CleanCommand)
    @click.option("--plan")
    @settings_options(model)
    @config_option
    def command(plan: str | None, config: tuple[Path, ...], **flags: Any) -> None:
        take(take_settings(model(), config, flags))
        assert flags == {}

    return command


def take(model: type[Settings], *arguments: object) -> tuple[Any, str]:
    found: list[Any] = []
    called = CliRunner().invoke(command_of(model, found.append), list(map(str, arguments)))
    return (found[0] if found else None), called.stderr


# ---- any settings, through a file, through flags and through a record


def one_of(kind: Kind) -> st.SearchStrategy[Any]:
    if kind.choices:
        return st.sampled_from(kind.choices)
    if kind.type is bool:
        return st.booleans()
    if kind.type is str:
        # click's own marks of options, and what no argument of a command can hold
        return st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1).filter(
            lambda text: not text.startswith("-") and not Path(text).exists()
        )
    low = None if kind.low is None else kind.low + (kind.low_open and kind.type is int)
    high = None if kind.high is None else kind.high - (kind.high_open and kind.type is int)
    if kind.type is int:
        return st.integers(None if low is None else int(low), None if high is None else int(high))
    return st.floats(
        low, high, exclude_min=kind.low_open, exclude_max=kind.high_open, allow_nan=False,
        allow_infinity=False,
    )  # fmt: skip


def value_of(one: Setting) -> st.SearchStrategy[Any]:
    value = one_of(one.kind)
    if one.kind.count == 1:
        return value
    if one.kind.count:  # all of them are ranges
        return st.lists(value, min_size=2, max_size=2).map(lambda pair: tuple(sorted(pair)))
    return st.lists(value, min_size=1, max_size=3).map(tuple)


def some_of(model: type[Settings]) -> st.SearchStrategy[dict[Setting, Any]]:
    every = settings_of(model)
    return st.sets(st.sampled_from(every)).flatmap(
        lambda chosen: st.fixed_dictionaries({one: value_of(one) for one in every if one in chosen})
    )


def nested(values: dict[Setting, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for one, value in values.items():
        inner = out
        for name in one.path[:-1]:
            inner = inner.setdefault(name, {})
        inner[one.path[-1]] = value
    return out


def flags_of(values: dict[Setting, Any]) -> list[str]:
    out = []
    for one, value in values.items():
        on, (_, _, off) = first_flag(one), one.flag.partition("/")
        if one.kind.type is bool:
            out += [on] if value else [off] if off else []
        elif one.joined:
            out += [on, ",".join(value)]
        elif one.kind.count == 0:
            out += [word for item in value for word in (on, str(item))]
        else:
            out += [on, *map(str, value if one.kind.count > 1 else (value,))]
    return out


MODELS = [PoolSettings, Soil, DrawSettings, SearchSettings, RowChoice]


@pytest.mark.parametrize("model", MODELS)
def test_any_settings_pass_through_a_file_and_flags_alike(
    model: type[Settings], tmp_path: Path
) -> None:
    @given(some_of(model))
    def check(values: dict[Setting, Any]) -> None:
        made = updated(model(), nested(values))
        text = tomli_w.dumps(nested(values))
        assert settings_from(model(), tomllib.loads(text), "file") == made
        (tmp_path / "a.toml").write_text(text, encoding="utf-8")
        assert take(model, "--config", tmp_path / "a.toml") == (made, "")
        by_flags, _ = take(model, *flags_of(values))
        assert by_flags == made
        for one in settings_of(model):
            assert type(one.of(by_flags)) is type(one.of(made))
            if one not in values:
                assert one.of(by_flags) == one.default
            elif one.kind.type is not str:
                assert one.of(by_flags) == values[one]

    check()


@pytest.mark.parametrize("model", MODELS)
def test_any_settings_pass_through_a_record(model: type[Settings]) -> None:
    @given(some_of(model))
    def check(values: dict[Setting, Any]) -> None:
        made = updated(model(), nested(values))
        assert read_record(model, json.loads(json.dumps(made.to_dict()))) == made

    check()


# ---- what is refused


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"bed": 1}, r"f: unknown key 'bed' \(did you mean beds\?\); expected beds, crop, names"),
        ({"beds": 10}, r"f: beds = 10: expected a whole number in \[0, 9\]$"),
        ({"beds": 1.0}, r"f: beds = 1.0: expected a whole number"),
        ({"beds": True}, r"f: beds = True: expected a whole number"),
        ({"beds": None}, r"f: beds = None: expected a whole number"),
        ({"crop": "beam"}, r"f: crop = 'beam' \(did you mean bean\?\): expected one of bean, leek"),
        ({"names": "a"}, r"f: names = 'a': expected a list, each a text"),
        ({"names": ["a", 2]}, r"f: names = \['a', 2\]: expected a list, each a text"),
        ({"stakes": float("nan")}, r"f: stakes = nan: expected a finite number"),
        ({"stakes": float("inf")}, r"f: stakes = inf: expected a finite number"),
        ({"soil": {"slope": float("nan")}}, r"f \[soil\]: slope = nan: expected a finite number"),
        ({"soil": {"slope": float("-inf")}}, r"slope = -inf: expected a finite number"),
        ({"soil": {"slope": 10**400}}, r"slope = 1000*: expected a number$"),
        ({"water": 1}, r"f: water = 1: expected true or false"),
        ({"soil": 3}, r"f: soil = 3: expected a table, as in \[soil\]"),
        ({"soil": {"depth": 1}}, r"f \[soil\]: unknown key 'depth' \(did you mean depth_m"),
        ({"soil": {"depth_m": 3.0}}, r"f \[soil\]: depth_m = 3.0: expected a number in \(0, 3\)"),
        ({"soil": {"layers": [1]}}, r"layers = \[1\]: expected a list of 2, each a whole number"),
        ({"soil": {"layers": [3, 2]}}, r"f \[soil\]: layers = \[3, 2\]: the range is empty; swap"),
        ({"soil": {"worms": True}}, r"f: worms need beds"),
    ],
)
def test_what_a_table_gets_wrong_is_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings_from(Garden(), table, "f")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Garden(beds=10), r"^beds = 10: expected a whole number in \[0, 9\]$"),
        (lambda: Garden(bed=1), r"^unknown key 'bed' \(did you mean beds\?\)"),  # type: ignore[call-arg]
        (lambda: Garden(soil=3), r"^soil = 3: expected Soil$"),  # type: ignore[arg-type]
        (lambda: Soil(layers=(3, 2)), r"^layers = \(3, 2\): the range is empty; swap the two$"),
        (lambda: Garden().replace(soil=Soil(worms=True)), r"^worms need beds$"),
        (lambda: Garden().replace(stakes=2), r"^stakes = 2: expected a number in \[0, 1\]$"),
    ],
)
def test_python_is_told_the_same(make: Callable[[], Settings], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Garden().beds = 3  # type: ignore[misc]
    assert hash(Garden(beds=3)) == hash(Garden(beds=3))


def test_a_contradiction_is_of_the_whole_not_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "soil.toml").write_text("[soil]\nworms = true")
    (tmp_path / "beds.toml").write_text("beds = 2")
    files = ["--config", tmp_path / "soil.toml", "--config", tmp_path / "beds.toml"]
    assert take(Garden, *files)[0] == Garden(beds=2, soil=Soil(worms=True))
    assert take(Garden, *files[:2], "--beds", 1)[0].soil.worms
    assert take(Garden, *files[:2]) == (None, "Error: worms need beds\n")


def test_a_wrong_flag_is_named_as_it_was_written() -> None:
    assert (
        take(Soil, "--layers", 4, 1)[1] == "Error: --layers 4 1: the range is empty; swap the two\n"
    )
    assert "Invalid value for '--depth-m': 3.0 is not in the range 0<x<3" in take(
        Soil, "--depth-m", 3
    )[1].replace("\n", " ")


def test_a_record_of_another_version_is_refused() -> None:
    whole = Garden(beds=1).to_dict()
    del whole["crop"]
    with pytest.raises(InputError, match=r"best\.pt: no 'crop'; these are settings of another v"):
        read_record(Garden, whole, "best.pt")
    whole = Garden(beds=1).to_dict()
    del whole["soil"]["worms"]
    with pytest.raises(InputError, match=r"best\.pt \[soil\]: no 'worms'"):
        read_record(Garden, whole, "best.pt")
    with pytest.raises(InputError, match="unknown key 'weeds'"):
        read_record(Garden, Garden().to_dict() | {"weeds": 1}, "best.pt")


def test_what_was_set_is_known() -> None:
    assert Garden().replace(beds=1).model_fields_set == {"beds"}
    assert take(Garden, "--crop", "bean", "--beds", 1)[0].model_fields_set == {"crop", "beds"}


# ---- what has no effect


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ("--crop leek", ["--crop has no effect without --beds"]),
        ("--beds 1 --crop leek", []),
        ("--names a --beds 1", ["--names has no effect without --beds 2 or more or --plan"]),
        ("--names a --beds 2", []),
        ("--names a --plan x", []),
        ("--stakes 1 --beds 1", []),
        ("--beds 1 --crop leek --stakes 1", ["--stakes has no effect without --crop bean"]),
        # it needs what has none itself
        ("--stakes 1", ["--stakes has no effect without --beds"]),
        ("--no-water", ["--water has no effect without --soil-worms"]),
        ("--no-water --soil-worms --beds 1", []),
        ("--soil-layers 1 2", []),
    ],
)
def test_a_flag_without_effect_is_told_in_a_line(arguments: str, lines: list[str]) -> None:
    made, told = take(Garden, *arguments.split())
    assert made
    assert told.splitlines() == [f"warning: {line}" for line in lines]


def test_of_several_one_that_uses_it_is_enough() -> None:
    stakes = [one for one in settings_of(Garden) if one.path == ("stakes",)]
    bean, leek = Garden(beds=1), Garden(beds=1, crop="leek")
    assert not list(no_effect(stakes, bean, leek))
    assert list(no_effect(stakes, leek, leek)) == ["--stakes has no effect without --crop bean"]


# ---- help


def test_help_shows_common_settings_first_then_groups() -> None:
    text = CliRunner().invoke(command_of(Garden, print), ["--help"]).stdout
    headings = [line for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == ["Options:", "A garden:", "Beans:", "What is below:"]
    place = {name: text.index(f"\n  {name}") for name in ("--beds", "--crop", "--stakes", "--plan")}
    assert max(place["--beds"], place["--plan"]) < text.index("A garden:") < place["--crop"]
    assert text.index("Beans:") < place["--stakes"] < text.index("What is below:")


def test_a_setting_that_no_flag_can_give_is_refused() -> None:
    class Odd(Settings, frozen=True):
        table: dict[str, int] = setting({}, "No flag gives it.")

    with pytest.raises(TypeError, match="neither a file nor a flag"):
        settings_of(Odd)
