"""A setting has one default, whichever way it is reached: an option, a file, or Python."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import click
import pytest
from test_docs_cli import COMMANDS

from negmine.building.settings import PoolSettings
from negmine.mining.rules.chain import Strategy
from negmine.mining.strategy import parse_strategy
from negmine.recipes.certificates import DEFAULT_CONFIDENCE, Certificate
from negmine.recipes.confidence import BEYOND_BOX_PER_S
from negmine.recipes.labels import PartialLabels
from negmine.settings import Settings, settings_of
from training.augmentation import AUGMENT_PRESETS, AugmentSettings
from training.cli.settings import LoopRunSettings, TrainSettings
from training.config import TrainConfig
from training.evaluation.settings import EnsembleSettings, EvaluateSettings, PredictSettings

# Of one name, and yet two settings.
OTHERS = {
    ("evaluate", "evaluate_all.resamples"): "from Python, intervals are asked for",
    ("loop", "RunSettings.hard.ratio"): "of runs alone; a loop's random rows come first",
    ("loop", "RunSettings.hard.own"): "of runs alone",
    ("loop", "RunSettings.samples.negative_ratio"): "of runs alone",
    ("loop", "AskSettings.per_class"): "of what is asked: --ask",
    ("loop", "AskSettings.strategy"): "of what is asked: --ask-strategy",
    ("mine", "SynthesisSettings.budget"): "without --synthesise there is no search",
    ("mine", "SynthesisSettings.max_doubt"): "of the search before mining, documented as its own",
    ("mine", "SynthesisSettings.min_distance"): "of the search before mining",
}


def functions_of(function: Callable[..., Any]) -> Iterator[Any]:
    """The project's classes and functions that a function's body names, imported in it or not."""
    function = inspect.unwrap(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found = [function.__globals__.get(name) for name in sorted(names)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            found += [getattr(module, alias.name, None) for alias in node.names]
    for one in found:
        home = getattr(one, "__module__", "")
        own = home.split(".")[0] in ("negmine", "training") and not home.startswith(
            "negmine.settings"
        )
        an_error = inspect.isclass(one) and issubclass(one, Exception)
        if own and not an_error and (inspect.isclass(one) or inspect.isfunction(one)):
            yield one


def doors(function: Callable[..., Any]) -> set[Any]:
    """What a command hands its settings to, itself or through the helpers of other commands."""
    found: set[Any] = set()
    waiting = [function]
    while waiting:
        for one in set(functions_of(waiting.pop())) - found:
            found.add(one)
            of_commands = any(part in one.__module__ for part in ("commands", ".cli", "options"))
            if inspect.isfunction(one) and of_commands:
                waiting.append(one)
    return found


def defaults_of(door: Any) -> dict[str, Any]:
    """The defaults of a dataclass's fields, or of a function's parameters."""
    if inspect.isclass(door) and issubclass(door, Settings):
        return {".".join(one.path): one.default for one in settings_of(door)}
    if is_dataclass(door):
        return {one.name: one.default for one in fields(door) if one.default is not MISSING}
    parameters = inspect.signature(door).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def plain(value: Any) -> Any:
    """Nothing, however it is said: None, an empty tuple, or click's mark of no default."""
    return None if value is None or value == () or "UNSET" in repr(value) else value


def pairs(name: str) -> Iterator[tuple[str, Any, str, Any]]:
    """The settings of a command that have a default in Python, too: both names, both defaults."""
    command = COMMANDS[name]
    assert command.callback
    known = {door.__qualname__: defaults_of(door) for door in doors(command.callback)}
    for option in command.params:
        if not isinstance(option, click.Option) or option.required or not option.name:
            continue
        default = plain(option.get_default(click.Context(command)))
        for holder, found in known.items():
            field = option.name.replace("__", ".")
            if field in found:
                yield option.name, default, f"{holder}.{field}", plain(found[field])


RUN = [name for name, command in COMMANDS.items() if not isinstance(command, click.Group)]


@pytest.mark.parametrize("name", RUN)
def test_an_option_and_python_have_the_same_default(name: str) -> None:
    odd = [
        f"--{option} is {default!r}, {python} is {value!r}"
        for option, default, python, value in pairs(name)
        if default != value and (name, python) not in OTHERS
    ]
    assert not odd


def test_the_settings_are_found() -> None:
    found = {(name, python) for name in RUN for _, _, python, _ in pairs(name)}
    assert {
        ("train", "TrainSettings.lr"),
        ("train", "TrainSettings.hard.mix_by"),
        ("loop", "MineSettings.max_doubt"),
        ("loop", "LoopRunSettings.loop.stop_after"),
        ("predict", "PredictSettings.min_conf"),
        ("mine", "MineSettings.per_class"),
        ("build-pool", "read_rfcx.songtypes"),
        ("synthesise", "SynthesisSettings.max_doubt"),
    } <= found
    assert found >= OTHERS.keys()


MODELS = {
    "build-pool": PoolSettings,
    "train": TrainSettings,
    "loop": LoopRunSettings,
    "predict": PredictSettings,
    "evaluate": EvaluateSettings,
    "ensemble": EnsembleSettings,
}


@pytest.mark.parametrize("name", MODELS)
def test_options_made_of_settings_have_their_defaults(name: str) -> None:
    options = {option.name: option for option in COMMANDS[name].params}
    for one in (one for one in settings_of(MODELS[name]) if one.flag):
        option = options["__".join(one.path)]
        context = click.Context(COMMANDS[name])
        assert plain(option.get_default(context)) == plain(one.default), one.path


def test_the_default_strategy_and_augmentation_are_those_of_python() -> None:
    options = {option.name: option for option in COMMANDS["train"].params}
    mined = {option.name: option for option in COMMANDS["mine"].params}
    assert parse_strategy(str(mined["strategy"].default)) == Strategy()
    assert AUGMENT_PRESETS[str(options["augment"].default)] == AugmentSettings()


# The sections of a pool's settings whose confidence is that of a certificate.
CERTIFIED = {
    "external": Certificate.EXTERNAL,
    "agreed": Certificate.AGREED,
    "erase": Certificate.ERASED,
    "transplant": Certificate.ERASED,
}


@pytest.mark.parametrize(("section", "certificate"), CERTIFIED.items())
def test_a_certificate_is_as_sure_from_python_as_in_a_pool(
    section: str, certificate: Certificate
) -> None:
    assert getattr(PoolSettings(), section).confidence == DEFAULT_CONFIDENCE[certificate]


def test_a_band_taken_away_is_as_sure_in_the_algebra_as_in_a_pool() -> None:
    free = PartialLabels.certified(["frog"], Certificate.VERIFIED)
    sure = PoolSettings().erase.confidence
    assert PartialLabels().erased("frog").absent["frog"].confidence == sure
    assert PartialLabels().transplanted("frog", free).absent["frog"].confidence == sure


def test_a_second_beyond_a_rejected_box_costs_the_same_everywhere() -> None:
    assert PoolSettings().fp.beyond_per_s == TrainConfig().beyond_per_s == BEYOND_BOX_PER_S
