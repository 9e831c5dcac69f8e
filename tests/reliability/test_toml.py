"""Settings in TOML that are odd or wrong: understood as TOML means them, or refused in a line."""

from __future__ import annotations

import math
import operator
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from reliability.conftest import Trials
from reliability.refusals import RefusedError, one_line
from reliability.sizes import sized

from negmine.building.settings import PoolSettings
from negmine.cli.main import build_pool
from negmine.cli.settings import take_settings
from negmine.mining.rules import RULES, rule_of
from negmine.mining.strategy import parse_strategy
from negmine.models.description import describe
from training.cli.settings import TrainSettings
from training.cli.train import train
from training.config import TrainConfig
from training.schedules.schedule import read_schedule

Table = dict[str, Any]

PHASES = (Phase.generate, Phase.shrink)


# ---- readers: from a file to what negmine understood, in the file's own shape


def pool_settings(path: Path) -> Table:
    words = ["train", "--tp", "tp.csv", "--out", "pool", "--config", str(path)]
    with build_pool.make_context("build-pool", words) as context:
        return take_settings(PoolSettings(), context.params["config"], context.params).to_dict()


def train_settings(path: Path) -> Table:
    words = ["train", "--tp", "tp.csv", "--out", "run", "--config", str(path)]
    with train.make_context("train", words) as context:
        return take_settings(TrainSettings(), context.params["config"], context.params).to_dict()


def strategy(path: Path) -> Table:
    found = parse_strategy(str(path))
    return {
        "ranking": "top",
        "rule": [{"name": rule.name, **rule.settings.to_dict()} for rule in found.rules],
    }


def recipe(path: Path) -> Table:
    return {
        "stage": [
            {**one.settings, "name": one.name, "init": one.init,
             "pseudo": one.pseudo, "fill": one.fill, "repeat": 1}
            for one in read_schedule(str(path)).stages
        ]
    }  # fmt: skip


def sidecar(path: Path) -> Table:
    found, _ = describe(path.with_suffix(""), None)
    return vars(found) | {"held_out": sorted(found.held_out)}


# ---- files: mostly right, in some places wrong


def wild() -> st.SearchStrategy[Any]:
    """A value of any type that TOML knows, often an extreme one."""
    single = st.one_of(
        st.booleans(),
        st.sampled_from([0, 1, -1, 10**9, 10**18, 2**63 - 1, 10**30, 10**400]),
        st.sampled_from([0.0, 0.5, 1.7, -0.5, 1e308, 5e-324, math.inf, -math.inf, math.nan]),
        st.integers(-100, 100),
        st.floats(),
        st.sampled_from(["", "top", "auto", "1", "1_0", "nan", "true", "../x", "\x1b[2J"]),
        st.just("a" * 5000),
        st.text(max_size=10).filter(lambda text: text.isprintable()),
        st.dates(),
    )  # fmt: skip
    return st.recursive(
        single,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["name", "low", "x"]), inner, max_size=3)
        ),
        max_leaves=4,
    )


def near(value: Any) -> st.SearchStrategy[Any]:
    """The value itself, one of its type, or any."""
    kinds: list[st.SearchStrategy[Any]] = [st.just(value), st.just(value), wild()]
    if isinstance(value, bool):
        kinds.append(st.booleans())
    elif isinstance(value, int):
        kinds.append(st.integers(-2, 20_000))
    elif isinstance(value, float):
        kinds.append(st.floats(0, 2))
    return st.one_of(*kinds)


def table(defaults: Mapping[str, Any]) -> st.SearchStrategy[Table]:
    """Some of the settings, few of them spoilt, now and then an unknown one."""
    known = {
        name: table(value) if isinstance(value, Mapping) else near(value)
        for name, value in defaults.items()
        if value is not None
    }
    some = st.sets(st.sampled_from(sorted(known)), max_size=3)
    picked = some.flatmap(lambda names: st.fixed_dictionaries({n: known[n] for n in sorted(names)}))
    unknown = st.dictionaries(st.sampled_from(["sead", "Clip_s", "", "a.b"]), wild(), max_size=1)
    return st.builds(lambda own, other: own | other, picked, st.just({}) | st.just({}) | unknown)


def listed(key: str, rows: st.SearchStrategy[Table], others: Table) -> st.SearchStrategy[Table]:
    """A list of tables, beside other keys."""
    tables = st.lists(rows, min_size=1, max_size=3)
    return st.builds(lambda found, more: {key: found} | more, tables | wild(), table(others))


def listed_rules() -> st.SearchStrategy[Table]:
    rules = [
        table(rule_of(name).settings().to_dict() or {"x": 1}).map(
            partial(operator.or_, {"name": name})
        )
        for name in RULES
    ]
    odd = st.builds(lambda name, found: {"name": name} | found, wild(), st.just({}))
    return listed("rule", st.one_of(*rules, odd), {"ranking": "top"})


TRAINING = TrainConfig().to_dict()
STAGE = {name: value for name, value in TRAINING.items() if name not in ("fold", "folds", "seed")}
MODEL = {
    "classes": ["a", "b"], "sample_rate": 8000, "clip_s": 1.0, "embeddings": "features",
    "logits": 1, "held_out": ["rec"],
}  # fmt: skip
FILES: dict[str, tuple[Callable[[Path], Table], str, st.SearchStrategy[Table]]] = {
    "pool": (pool_settings, "pool.toml", table(PoolSettings().to_dict())),
    "train": (train_settings, "train.toml", table(TrainSettings().to_dict())),
    "strategy": (strategy, "strategy.toml", listed_rules()),
    "recipe": (
        recipe,
        "recipe.toml",
        listed(
            "stage",
            table(STAGE | {"init": "scratch", "repeat": 1, "pseudo": False}).map(
                lambda found: {"name": "one"} | found
            ),
            {"x": 1},
        ),
    ),
    "sidecar": (
        sidecar,
        "model.onnx.toml",
        st.builds(lambda found: MODEL | found, table(MODEL)),
    ),
}
# Text that no writer of TOML makes.
MARKS = ["[", "]", "{", "=", '"', "'''", "\x00", "\ufeff", "1_0", "9" * 400, "[" * 3000,
         "{a=" * 400, "\n", "#", "\\u", "inf", "-nan", ".", "[[rule]]\n", "[a.b.c]\n", "\r",
         "\x1b"]  # fmt: skip


@sized
@pytest.mark.parametrize("kind", FILES)
def test_settings_are_as_written_or_refused(
    kind: str, times: int, tmp_path: Path, trials: Trials
) -> None:
    reader, name, content = FILES[kind]
    path = tmp_path / name

    @settings(max_examples=60 * times, phases=PHASES)
    @given(content, st.lists(st.tuples(st.integers(0, 300), st.sampled_from(MARKS)), max_size=1))
    def check(found: Table, marks: list[tuple[int, str]]) -> None:
        text = tomli_w.dumps(found)
        for place, mark in marks:
            text = text[:place] + mark + text[place:]
        path.write_bytes(text.encode())
        try:
            with one_line():
                understood = reader(path)
        except RefusedError:
            trials.count("refused")
            return
        assert not [
            one for one in lacking(tomllib.loads(text.removeprefix("\ufeff")), understood) if one
        ]
        trials.count("as written")

    check()
    trials.check()


def lacking(written: Any, understood: Any, where: str = "") -> list[str]:
    """What a file says that was understood otherwise; it may say less than what was understood."""
    if is_dataclass(understood) and not isinstance(understood, type):
        understood = asdict(understood)
    if isinstance(written, Mapping):
        if not isinstance(understood, Mapping):
            return [f"{where}: a table is {understood!r}"]
        return [
            fault
            for name, value in written.items()
            for fault in (
                lacking(value, understood[name], f"{where}.{name}")
                if name in understood
                else [f"{where}.{name}: nothing became of it"]
            )
        ]
    if isinstance(written, list):
        if not isinstance(understood, list | tuple) or len(written) != len(understood):
            return [f"{where}: {written!r} is {understood!r}"]
        pairs = zip(written, understood, strict=True)
        return [fault for i, pair in enumerate(pairs) for fault in lacking(*pair, f"{where}[{i}]")]
    number = isinstance(written, int | float) and not isinstance(written, bool)
    if number != (isinstance(understood, int | float) and not isinstance(understood, bool)):
        return [f"{where}: {written!r} is {understood!r}"]
    if number and not math.isfinite(understood):
        return [f"{where}: {understood!r} passed"]
    if isinstance(understood, float):
        written = float(written)  # a whole number may have more digits than a float
    return [] if written == understood else [f"{where}: {written!r} is {understood!r}"]
