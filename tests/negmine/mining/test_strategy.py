"""Strategies: from text and from TOML, and what a mistake in one says."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from negmine.errors import InputError
from negmine.mining.mine_report import reasons
from negmine.mining.rules import RULES, rule_settings
from negmine.mining.rules.chain import Strategy
from negmine.mining.rules.rule import Candidates, ClassScores, Limits, Takes
from negmine.mining.strategy import PRESETS, parse_strategy, with_window
from negmine.settings import Count, Settings, setting

KNOWN = ClassScores(np.array([1.0, 2.0, 3.0]), np.arange(101.0) / 10 - 5)


def candidates(groups: list[str], angles: list[float]) -> Candidates:
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return Candidates(embeddings, lambda by: [(group,) for group in groups])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_say_what_they_are(name: str) -> None:
    made = parse_strategy(name)
    assert parse_strategy(made.text) == made


def test_the_default_is_the_preset_hard() -> None:
    assert parse_strategy("hard") == Strategy()


def test_a_chain_is_rules_with_settings() -> None:
    made = parse_strategy("window:low=0.5 + quota:by=kind,most=7")
    assert parse_strategy("top + window:low=0.5 + quota:by=kind,most=7") == made
    assert [rule.name for rule in made.rules] == ["window", "quota"]
    assert made.rules[0].settings.to_dict() == {"low": 0.5, "high": 0.999}
    assert made.rules[1].settings.to_dict() == {"by": "kind", "most": 7}


def test_a_file_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        'ranking = "top"\n[[rule]]\nname = "window"\nlow = 0.5\n'
        '[[rule]]\nname = "quota"\nby = "kind"\nmost = 7\n'
    )
    expected = parse_strategy("window:low=0.5 + quota:by=kind,most=7")
    assert parse_strategy(str(path)) == expected


def test_limits_of_several_rules_are_the_narrowest() -> None:
    made = parse_strategy("window:low=0.5,high=0.95 + margin:space=absolute,margin=0.5")
    low, high = made.limits(KNOWN)
    assert low == pytest.approx(0.0)
    assert high == pytest.approx(1.5)  # under the calls' median, 2
    assert parse_strategy("hard").limits(KNOWN) == (-np.inf, np.inf)


def test_a_quota_keeps_the_best_ranked_of_a_group() -> None:
    rule = parse_strategy("quota:most=2").rules[0]
    found = candidates(["a", "a", "b", "a", "b"], [0.0] * 5)
    assert rule.take(found, 5).tolist() == [0, 1, 2, 4]


def test_diverse_rows_spread_and_keep_their_order() -> None:
    rule = parse_strategy("diverse").rules[0]
    found = candidates(["a"] * 5, [0.0, 0.01, 3.0, 1.5, 0.02])
    assert rule.take(found, 3).tolist() == [0, 2, 3]


def test_rules_see_what_the_last_one_kept() -> None:
    found = candidates(["a", "a", "b"], [0.0, 1.0, 2.0]).only(np.array([0, 2]))
    assert [list(keys) for keys in found.keys("group")] == [["a"], ["b"]]
    assert len(found) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hrad", r"no preset or rule 'hrad' \(did you mean hard\?\)"),
        ("top + windw:low=0.1", r"no preset or rule 'windw' \(did you mean window\?\); presets"),
        (
            "window:lo=0.1",
            r"rule 'window': unknown key 'lo' \(did you mean low\?\); expected low",
        ),
        ("diverse:low=1", "rule 'diverse': unknown key 'low'; expected none"),
        ("window:low=0.9,high=0.1", "expected 0 <= low < high <= 1"),
        ("window:low=some", "rule 'window': low = 'some': expected a number"),
        ("quota:most=2.5", "expected a whole number"),
        ("quota:most=1_0", "expected a whole number"),
        ("margin:space=absolute,margin=nan", "expected a number"),
        ("quota:most=0", "most = 0: expected a whole number in"),
        ("quota:by=species", "expected one of kind, certificate, source, group"),
        ("window:0.1", "'0.1': expected setting=value"),
        ("near", "'near' was removed, it gained nothing; use 'hard'"),
        ("ranking", "'ranking' was removed"),
        ("alarm + quota", "'alarm' was removed"),
        ("careful", r"its rules were 'margin \+ quota'"),
        ("window + top", "no preset or rule 'top'"),
        ("margin:space=quantile,margin=2", "margin 2 is not a quantile"),
        ("", "no preset or rule ''"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_strategy(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ranking = ", "not readable as TOML"),
        ("rul = 3", r"unknown key 'rul' \(did you mean rule\?\)"),
        ("ranking = 'near'", "'near' was removed"),
        ("ranking = 'best'", "no ranking 'best'"),
        ("rule = 3", r"expected \[\[rule\]\] tables with a name each"),
        ("[[rule]]\nlow = 0.1", "with a name each"),
        ("ranking = ['top']", "no ranking"),
        ("[[rule]]\nname = 'quota'\nmost = 1.7", "expected a whole number"),
        ("[[rule]]\nname = 'quota'\nmost = inf", "expected a whole number"),
        ("[[rule]]\nname = 'quota'\nmost = true", "expected a whole number"),
        ("[[rule]]\nname = 'quota'\nby = 3", "expected one of kind, "),
        ("[[rule]]\nname = 'margin'\nspace = 'absolute'\nmargin = nan", "expected a finite number"),
        ("[[rule]]\nname = 'margin'\nspace = 'absolute'\nmargin = inf", "expected a finite number"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(content)
    with pytest.raises(InputError, match=rf"s\.toml: .*{message}"):
        parse_strategy(str(path))
    with pytest.raises(InputError, match="no such file"):
        parse_strategy(str(tmp_path / "gone.toml"))


def test_a_window_stands_before_the_rules() -> None:
    made = with_window(parse_strategy("quota"), "0.9,0.99")
    assert made == parse_strategy("window:low=0.9,high=0.99 + quota")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.9", r"--window '0.9': expected two quantiles, as in 0.9,0.999"),
        ("auto", "'auto' was removed, it gained nothing; expected two quantiles"),
        ("", "--window '': expected two quantiles"),
        ("a,1", r"--window 'a,1': rule 'window': low = 'a': expected a number"),
        (
            "0.9,0.5",
            r"--window '0.9,0.5': rule 'window': window 0.9 to 0.5: expected 0 <= low < high <= 1",
        ),
    ],
)
def test_a_window_that_is_none_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_window(Strategy(), text)


# ---- a new rule is a file and its name in RULES


class EverySettings(Settings, frozen=True):
    """Every: one row of so many."""

    step: Count = setting(2, "Of how many.", flag="")


def _every(found: Candidates, wanted: int, s: EverySettings) -> np.ndarray:
    return np.arange(0, len(found), s.step)


def _above_zero(known: ClassScores, s: EverySettings) -> tuple[float, float]:
    return 0.0, np.inf


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Takes(EverySettings, _every, "between two that are kept"), "between two that are kept"),
        (
            Limits(EverySettings, _above_zero, below="zero"),
            "score below the hardness window or zero",
        ),
    ],
)
def test_a_file_and_a_name_make_a_rule(
    monkeypatch: pytest.MonkeyPatch, kind: Limits | Takes, reason: str
) -> None:
    module = ModuleType("every")
    module.__dict__["RULE"] = kind
    monkeypatch.setitem(sys.modules, "negmine.mining.rules.every", module)
    with pytest.raises(InputError, match="no preset or rule 'every'"):
        parse_strategy("every")
    RULES.append("every")
    try:
        rule = parse_strategy("every:step=3").rules[0]
        assert rule.text == "every:step=3"
        kept = rule.take(candidates(["a"] * 7, [0.0] * 7), 5).tolist()
        assert kept == ([0, 3, 6] if rule.takes else list(range(7)))
        assert rule.limits(KNOWN)[0] == (-np.inf if rule.takes else 0.0)
        assert reason in reasons().values()
        assert rule_settings()[-1] is EverySettings
    finally:
        RULES.remove("every")
