"""Strategies by name, from the command line, or from a TOML file."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from negmine.errors import InputError, did_you_mean
from negmine.mining.rules.chain import RANKINGS, RULES, Strategy, make_step
from negmine.storage.text_files import read_toml

PRESETS = MappingProxyType(
    {
        "hard": "top",
        "careful": "top + margin:space=quantile,margin=0.1 + quota:by=group,most=5",
        "spread": "top + quota:by=group,most=20 + diverse",
        "near": "near",
        "ranking": "intrusion",
        "alarm": "alarm",
    }
)


def parse_strategy(text: str) -> Strategy:
    """Parse a preset's name, a TOML file's path, or rules joined by '+'.

    A chain is an optional ranking and rules with settings, ``rule:setting=value,setting=value``. A
    TOML file says the same: ``ranking = "top"``, and ``[[rule]]`` tables with a ``name`` each.

    Raises
    ------
    InputError
        If a rule, setting or file is unknown or malformed.

    Examples
    --------
    >>> parse_strategy("near + quota:by=kind,most=10").text
    'near + quota:by=kind,most=10'
    """
    if text.endswith(".toml"):
        return _from_toml(Path(text))
    where = f"--strategy '{text}'"
    parts = [part.strip() for part in PRESETS.get(text, text).split("+")]
    ranking = "top"
    if parts[0] in RANKINGS:
        ranking = parts.pop(0)
    steps = []
    for part in parts:
        name, _, rest = part.partition(":")
        settings = {}
        for item in filter(None, (item.strip() for item in rest.split(","))):
            key, equals, value = item.partition("=")
            if not equals:
                raise InputError(f"{where}: '{item}': expected setting=value")
            settings[key.strip()] = value.strip()
        if name in RANKINGS:
            raise InputError(f"{where}: '{name}' ranks the rows, so it must come first")
        if name not in RULES:
            hint = did_you_mean(name, [*PRESETS, *RULES, *RANKINGS])
            raise InputError(
                f"{where}: no preset or rule '{name}'{hint}; presets: {', '.join(PRESETS)}; "
                f"rankings: {', '.join(RANKINGS)}; rules: {', '.join(RULES)}"
            )
        steps.append(make_step(name, settings, where))
    return Strategy(ranking, tuple(steps))


def with_window(strategy: Strategy, text: str) -> Strategy:
    """Add a hardness window, ``LOW,HIGH``, before a strategy's own rules.

    Raises
    ------
    InputError
        If the text is not a window.
    """
    where = f"--window '{text}'"
    low, comma, high = text.partition(",")
    if not comma:
        raise InputError(f"{where}: expected two quantiles, as in 0.9,0.999, or auto")
    step = make_step("window", {"low": low, "high": high}, where)
    return Strategy(strategy.ranking, (step, *strategy.steps))


def _from_toml(path: Path) -> Strategy:
    content = read_toml(path)
    for key in content:
        if key not in ("ranking", "rule"):
            hint = did_you_mean(key, ["ranking", "rule"])
            raise InputError(f"{path}: unknown key '{key}'{hint}; expected ranking and [[rule]]")
    ranking, rules = content.get("ranking", "top"), content.get("rule", [])
    if not isinstance(ranking, str) or ranking not in RANKINGS:
        hint = did_you_mean(str(ranking), RANKINGS)
        raise InputError(f"{path}: no ranking '{ranking}'{hint}; rankings: {', '.join(RANKINGS)}")
    if not isinstance(rules, list) or not all(isinstance(r, dict) and "name" in r for r in rules):
        raise InputError(f"{path}: expected [[rule]] tables with a name each")
    steps = [
        make_step(str(r["name"]), {k: v for k, v in r.items() if k != "name"}, str(path))
        for r in rules
    ]
    return Strategy(ranking, tuple(steps))
