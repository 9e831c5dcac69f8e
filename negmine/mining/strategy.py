"""Strategies by name, from the command line, or from a TOML file."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from negmine.errors import InputError, did_you_mean
from negmine.mining.rules import RULES
from negmine.mining.rules.chain import Rule, Strategy, make_rule
from negmine.storage.text_files import read_toml

PRESETS = MappingProxyType(
    {
        "hard": "top",
        "spread": "top + quota:by=group,most=20 + diverse",
    }
)
# What earlier versions had, and what to use instead: none did better than as many random rows.
_REMOVED = dict.fromkeys(("near", "intrusion", "ranking", "alarm"), "use 'hard'") | {
    "careful": "use 'hard'; its rules were 'margin + quota'"
}


def parse_strategy(text: str) -> Strategy:
    """Parse a preset's name, a TOML file's path, or rules joined by '+'.

    Rules have settings, ``rule:setting=value,setting=value``; ``top`` may be written before them.
    A TOML file has ``[[rule]]`` tables with a ``name`` each.

    Raises
    ------
    InputError
        If a rule, setting or file is unknown or malformed.

    Examples
    --------
    >>> parse_strategy("quota:by=kind,most=10").text
    'top + quota:by=kind,most=10'
    """
    if text.endswith(".toml"):
        return _from_toml(Path(text))
    where = f"--strategy '{text}'"
    parts = [part.strip() for part in PRESETS.get(text, text).split("+")]
    rules = []
    for part in parts[1:] if parts[0] == "top" else parts:
        name, _, rest = part.partition(":")
        settings = {}
        for item in filter(None, (item.strip() for item in rest.split(","))):
            key, equals, value = item.partition("=")
            if not equals:
                raise InputError(f"{where}: '{item}': expected setting=value")
            settings[key.strip()] = value.strip()
        _check_removed(name, where)
        if name not in RULES:
            hint = did_you_mean(name, [*PRESETS, *RULES])
            raise InputError(
                f"{where}: no preset or rule '{name}'{hint}; presets: {', '.join(PRESETS)}; "
                f"rules: {', '.join(RULES)}"
            )
        rules.append(make_rule(name, settings, where))
    return Strategy(tuple(rules))


def with_window(strategy: Strategy, text: str) -> Strategy:
    """Add a hardness window, ``LOW,HIGH``, before a strategy's own rules.

    Raises
    ------
    InputError
        If the text is not a window.
    """
    return Strategy((parse_window(text), *strategy.rules))


def parse_window(text: str) -> Rule:
    """Parse a hardness window, ``LOW,HIGH``.

    Raises
    ------
    InputError
        If the text is not a window.
    """
    where = f"--window '{text}'"
    low, comma, high = text.partition(",")
    if not comma:
        gone = "'auto' was removed, it gained nothing; " if text == "auto" else ""
        raise InputError(f"{where}: {gone}expected two quantiles, as in 0.9,0.999")
    return make_rule("window", {"low": low, "high": high}, where)


def _from_toml(path: Path) -> Strategy:
    content = read_toml(path)
    for key in content:
        if key not in ("ranking", "rule"):
            hint = did_you_mean(key, ["rule"])
            raise InputError(f"{path}: unknown key '{key}'{hint}; expected [[rule]]")
    ranking, rules = content.get("ranking", "top"), content.get("rule", [])
    if ranking != "top":
        _check_removed(str(ranking), str(path))
        raise InputError(f"{path}: no ranking '{ranking}'; leave the key out")
    if not isinstance(rules, list) or not all(isinstance(r, dict) and "name" in r for r in rules):
        raise InputError(f"{path}: expected [[rule]] tables with a name each")
    rules = [
        make_rule(str(r["name"]), {k: v for k, v in r.items() if k != "name"}, str(path))
        for r in rules
    ]
    return Strategy(tuple(rules))


def _check_removed(name: str, where: str) -> None:
    if name in _REMOVED:
        raise InputError(f"{where}: '{name}' was removed, it gained nothing; {_REMOVED[name]}")
