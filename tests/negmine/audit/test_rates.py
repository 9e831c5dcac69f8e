"""Verdicts into rates and confidences: known counts, and a listener whose errors are known."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from auditing import call, fails, fill, key_of, selection, verdicts
from click.testing import CliRunner
from conftest import Data

from negmine.audit.audit_folder import ClipVerdict, Key, read_clip_verdicts, read_key
from negmine.audit.frames import Claim
from negmine.audit.hidden_rates import Audit
from negmine.audit.new_confidences import LOWEST, new_confidences, supported_doubt
from negmine.audit.results import write_contradicted
from negmine.cli.main import main
from negmine.errors import InputError
from negmine.intervals import clopper_pearson
from negmine.pool import open_pool
from negmine.storage.csv_tables import read_rows


def test_known_counts_give_known_rates() -> None:
    key = key_of({"external, external": (900, 20), "verified, fp": (100, 20)}, 10)
    audit = Audit(
        key,
        verdicts(
            ("present", 2),
            ("absent", 18),
            ("present", 9),
            ("unsure", 2),
            ("absent", 9),
            ("present", 8),
            ("absent", 1),
            ("unsure", 1),
        ),
    )
    rates = audit.rates()
    assert rates["kind"]["external"].rate.interval() == pytest.approx(clopper_pearson(2, 20))
    fp = rates["certificate"]["verified"]
    assert (fp.rate.estimate, fp.rate.trials, fp.unsure) == (0.5, 18, 2)
    assert (fp.least.estimate, fp.most.estimate) == (9 / 20, 11 / 20)
    assert fp.claimed == pytest.approx(0.1)
    every = rates["all"][""]
    assert every.rate.estimate == pytest.approx(0.9 * 0.1 + 0.1 * 0.5)
    assert every.least.estimate == pytest.approx(0.9 * 0.1 + 0.1 * 9 / 20)
    assert every.most.estimate == pytest.approx(0.9 * 0.1 + 0.1 * 11 / 20)
    heard = audit.sensitivity
    assert (heard.rate.hits, heard.rate.trials, heard.unsure) == (8, 9, 1)
    assert every.corrected[0] == pytest.approx(every.rate.estimate * 9 / 8)
    # 20 clips heard with 11 present or unsure, of which a ninth is missed; 20 more as claimed
    expected = (11 * 9 / 8 + 20 * 0.1) / 40
    assert supported_doubt(fp, heard.rate, 20) == pytest.approx(expected)
    assert set(rates["class"]) == {"0", "1"}
    assert [row["clip"] for row in audit.contradicted()] == [
        f"x-{i}.flac" for i in (0, 1, *range(20, 29))
    ]


def test_what_was_not_heard_yet_is_said_and_not_counted() -> None:
    key = key_of({"external, external": (900, 4), "verified, fp": (100, 4)}, 2)
    audit = Audit(key, verdicts(("present", 1), ("absent", 1), ("", 2), ("unsure", 1), ("", 5)))
    assert audit.unheard == 7
    assert audit.unheard_strata == ["verified, fp"]
    rates = audit.rates()
    assert rates["all"][""].rate.estimate == 0.5
    assert np.isnan(rates["kind"]["fp"].rate.estimate)
    assert rates["kind"]["fp"].rate.interval() == (0.0, 1.0)
    assert np.isnan(rates["all"][""].corrected[0])


def test_a_listener_with_known_errors_recovers_the_rate() -> None:
    """Hidden calls at 4 % and 30 %, of which the listener misses a quarter: corrected, 9.2 %."""
    rng = np.random.default_rng(0)
    sizes, hidden, misses = (
        {"external, external": (8000, 100), "verified, fp": (2000, 100)},
        {"external": 0.04, "verified": 0.30},
        0.25,
    )
    key = key_of(sizes, 60)
    truth = 0.8 * 0.04 + 0.2 * 0.30
    plain, corrected, covered = [], [], 0
    for _ in range(60):
        there = np.array([c.control or rng.random() < hidden[c.certificate] for c in key.claims])
        heard = there & (rng.random(len(there)) >= misses)
        words = [ClipVerdict("present" if yes else "absent") for yes in heard]
        found = Audit(key, words).hidden()
        plain.append(found.rate.estimate)
        corrected.append(found.corrected[0])
        covered += found.corrected[1] <= truth <= found.corrected[2]
    assert np.mean(plain) == pytest.approx(truth * (1 - misses), abs=0.01)
    assert np.mean(corrected) == pytest.approx(truth, abs=0.012)
    assert covered / 60 > 0.9


def with_confidences(key: Key, kind: str, values: list[float]) -> Key:
    """The key with these confidences, in turn, of the claims of a kind."""
    claims = list(key.claims)
    for number, at in enumerate(i for i, claim in enumerate(claims) if claim.kind == kind):
        claims[at] = replace(claims[at], confidence=values[number % len(values)])
    return replace(key, claims=tuple(claims))


def test_confidences_are_what_would_have_claimed_what_was_found() -> None:
    strata = {
        "external, external": (500, 99),
        "verified, fp": (500, 99),
        "erased, erase": (500, 39),
        "mixed, mix": (500, 9),
    }
    key = key_of(strata, 0)
    # clips that reach 0, 1 and 3 s beyond their boxes, a share of 0.98 kept for each
    key = with_confidences(key, "fp", [1.0, 0.98, 0.98**3])
    key = with_confidences(key, "erase", [0.8, 0.98])
    words = [("present", 5), ("absent", 94), ("present", 10), ("absent", 89)]
    audit = Audit(key, verdicts(*words, ("present", 7), ("absent", 41)))
    built = {"fp": {"beyond_per_s": 0.98}, "erase": {"confidence": 0.8}}
    found = {one.section: one for one in new_confidences(audit, built, 20)}
    assert set(found) == {"external", "fp", "erase"}
    assert found["external"].after == pytest.approx(1 - (5 + 20 * 0.1) / 119, abs=1e-4)
    b = found["fp"].after
    assert b is not None
    claimed = 1 - (1 + 0.98 + 0.98**3) / 3
    assert (1 + b + b**3) / 3 == pytest.approx(1 - (10 + 20 * claimed) / 119, abs=1e-4)
    c = found["erase"].after
    assert c is not None
    # 20 clips of a known call, 19 of none, with a tenth of its doubt
    claimed = (20 * 0.2 + 19 * 0.02) / 39
    expected = (7 + 20 * claimed) / 59
    assert (20 * (1 - c) + 19 * 0.1 * (1 - c)) / 39 == pytest.approx(expected, abs=1e-4)
    unknown = {one.section: one for one in new_confidences(audit, {"split": []}, 20)}
    assert unknown["external"].after == found["external"].after
    assert unknown["fp"].after is None
    assert "does not say what it was built with" in unknown["fp"].reason


def test_confidences_that_cannot_be_found_are_left_and_said() -> None:
    key = key_of({"verified, fp": (500, 20)}, 5, confidence=1.0)
    absent = verdicts(("absent", 20), ("present", 5))
    (fp,) = new_confidences(Audit(key, absent), {"fp": {"beyond_per_s": 1.0}}, 20)
    assert fp.after is None
    assert "claim no doubt" in fp.reason
    deaf = Audit(key, verdicts(("absent", 25)))
    (fp,) = new_confidences(deaf, {"fp": {"beyond_per_s": 0.99}}, 20)
    assert (fp.after, fp.reason) == (None, "the listener heard none of 5 controls")
    # one in two lies in its box: no share beyond it makes up for nine in ten that are wrong
    half = Audit(
        with_confidences(key, "fp", [1.0, 0.99]),
        verdicts(("present", 18), ("absent", 2), ("present", 5)),
    )
    (fp,) = new_confidences(half, {"fp": {"beyond_per_s": 0.99}}, 0)
    assert fp.after == LOWEST


def test_a_rebuilt_pool_carries_what_was_heard(
    audit_folder: Path, shared_data: Data, tmp_path: Path
) -> None:
    wrong: dict[str, list[str]] = {"external": [], "fp": []}

    def word(claim: Claim) -> str:
        if claim.kind in wrong and len(wrong[claim.kind]) < 2:
            wrong[claim.kind].append(claim.recipe)
            return "present"
        return "present" if claim.control else "absent"

    claims = fill(audit_folder, word)
    out, ids = tmp_path / "audit.toml", tmp_path / "ids.csv"
    result = call("read", audit_folder, "-o", out, "--contradicted", ids, "--prior", 10)
    assert result.exit_code == 0, result.output
    assert "heard 6 of 6" in result.stdout
    assert sorted(pd.read_csv(ids, dtype=str)["recipe"]) == sorted(wrong["external"] + wrong["fp"])
    small = ["--clip-s", "1", "--sample-rate", "8000", "--fp-pad", "beyond"]
    external = ["--external", str(shared_data.external)]
    files = ["--config", str(out), "--out", str(tmp_path / "pool")]
    built = CliRunner().invoke(
        main, ["build-pool", *shared_data.options, *external, *small, *files]
    )
    assert built.exit_code == 0, built.output
    for kind in wrong:
        heard = sum(claim.kind == kind for claim in claims)
        confidences = [
            absence.confidence
            for recipe in open_pool(tmp_path / "pool")
            if recipe.kind == kind
            for absence in recipe.labels.absent.values()
        ]
        claimed = np.mean([1 - claim.confidence for claim in claims if claim.kind == kind])
        expected = 1 - (2 + 10 * claimed) / (heard + 10)
        assert np.mean(confidences) == pytest.approx(expected, abs=1e-4)
    assert set(tomllib.loads(out.read_text())) == {"external", "fp"}


def test_what_is_contradicted_is_a_table_that_mining_reads(tmp_path: Path) -> None:
    key = key_of({"verified, fp": (9, 4)}, 0)
    columns = ("recipe", "class")
    for present in (2, 0):
        audit = Audit(key, verdicts(("present", present), ("absent", 4 - present)))
        write_contradicted(tmp_path / "ids.csv", audit)
        rows = list(read_rows(tmp_path / "ids.csv", columns, may_be_empty=True))
        assert [pair for _, pair in rows] == [("r0", "0"), ("r1", "1")][:present]
    with pytest.raises(InputError, match="no rows"):
        list(read_rows(tmp_path / "ids.csv", columns))


def test_json_is_the_whole_of_it(audit_folder: Path) -> None:
    fill(audit_folder, lambda c: "present" if c.control or c.kind == "fp" else "absent")
    result = call("read", audit_folder, "--json")
    told = json.loads(result.stdout)
    assert told["sensitivity"]["rate"] == 1.0
    assert told["rates"]["kind"]["fp"]["rate"] == 1.0
    assert told["rates"]["kind"]["mix"]["low"] == 0.0
    assert {row["kind"] for row in told["contradicted"]} == {"fp"}
    assert {one["section"] for one in told["confidences"]} == {"external", "fp"}
    assert told["unheard"] == 0


def test_verdicts_from_elsewhere(audit_folder: Path, tmp_path: Path) -> None:
    shutil.copy(audit_folder / "verdicts.csv", tmp_path / "mine.csv")
    fill(audit_folder, lambda claim: "present")
    shutil.move(audit_folder / "verdicts.csv", tmp_path / "mine.csv")
    result = call("read", audit_folder, "--verdicts", tmp_path / "mine.csv", "--json")
    assert json.loads(result.stdout)["rates"]["all"][""]["rate"] == 1.0
    fails(call("read", audit_folder), r"verdicts\.csv: no such file")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t, "no verdict is filled in yet; listen to the clips with 'negmine review'"),
        (
            lambda t: t.assign(verdict="abesnt"),
            r"row 2: verdict 'abesnt' \(did you mean absent\?\)",
        ),
        (lambda t: t.iloc[5:], r"no row for \w+-01, \w+-02, \w+-03 and 2 more"),
        (lambda t: t.assign(recording="zz-01"), "'zz-01' is not in the key"),
        (lambda t: t.assign(**{"class": "9"}), "asks for class '9', but .* was drawn for"),
        (
            lambda t: pd.concat([t, t]).assign(verdict="absent"),
            "has a second verdict of the same listener",
        ),
        (lambda t: t.drop(columns="t_max"), "no column 't_max'"),
    ],
)
def test_mistakes_in_verdicts_are_one_line(
    audit_folder: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    path = audit_folder / "verdicts.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    spoil(table).to_csv(path, index=False)
    fails(call("read", audit_folder), message)


def test_what_two_listeners_disagree_on_is_unsure(audit_folder: Path) -> None:
    fill(audit_folder, lambda claim: "absent")
    path = audit_folder / "verdicts.csv"
    first = pd.read_csv(path, dtype=str, keep_default_na=False)
    words = ["present", "absent", "unsure", ""]
    second = first.iloc[:4].assign(listener="ben", verdict=words)
    pd.concat([first, second]).to_csv(path, index=False)
    found = [v.word for v in read_clip_verdicts(path, read_key(audit_folder / "key.parquet"))]
    assert found[:4] == ["unsure", "absent", "absent", "absent"]


def test_words_may_be_written_large(audit_folder: Path) -> None:
    fill(audit_folder, lambda claim: "Absent")
    key = read_key(audit_folder / "key.parquet")
    assert {v.word for v in read_clip_verdicts(audit_folder / "verdicts.csv", key)} == {"absent"}


def test_a_key_that_is_none_is_one_line(
    audit_folder: Path, tmp_path: Path, shared_pool: Path
) -> None:
    fails(call("read", tmp_path / "nowhere"), "no such file")
    path = audit_folder / "key.parquet"
    good = pq.read_table(path)
    pq.write_table(good.replace_schema_metadata({}), path)
    fails(call("read", audit_folder), "not a key written by 'negmine audit draw'")
    metadata = {**good.schema.metadata, b"version": b"9", b"seal": b""}
    pq.write_table(good.replace_schema_metadata(metadata), path)
    fails(call("read", audit_folder), "a key of version 9; this negmine reads version 1")
    selection(open_pool(shared_pool)).write(path)
    fails(call("read", audit_folder), "no column 'clip'")
