"""Two people's tables as one: what they agree on, what another must hear, whose errors count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from negmine.annotations.listener_errors import controls_beside
from negmine.annotations.verdicts import read_verdicts
from negmine.cli.main import main

HEAD = "recording,class,t_min,t_max,verdict,listener\n"
ANNA = "a,0,0,1,absent,anna\na,0,1,2,present,anna\na,0,2,3,unsure,anna\na,0,3,4,absent,anna\n"
BEN = "a,0,3,4,absent,\na,0,2,3,absent,\na,0,1,2,absent,\na,0,0,1,absent,\nb,1,0,1,,\n"


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "anna.csv", tmp_path / "ben.csv"
    for path, rows in zip(paths, (ANNA, BEN), strict=True):
        path.write_text(HEAD + rows, encoding="utf-8")
    controls = "recording,class,t_min,t_max,known,said,listener,after\n" + "".join(
        f"c,0,{i},{i + 1},present,{'absent' if i < 5 else 'present'},anna,0\n" for i in range(20)
    )
    controls_beside(paths[0]).write_text(controls, encoding="utf-8")
    return paths


def test_who_disagree_are_unsure_together(tables: tuple[Path, Path], tmp_path: Path) -> None:
    out, again = tmp_path / "both.csv", tmp_path / "again.csv"
    command = ["verdicts", *map(str, tables), "-o", str(out), "--disagreed", str(again)]
    result = CliRunner().invoke(main, [*command, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert out.read_text(encoding="utf-8") == (
        f"{HEAD}a,0,0.0,1.0,absent,anna & ben\na,0,1.0,2.0,unsure,anna & ben\n"
        "a,0,2.0,3.0,absent,ben\na,0,3.0,4.0,absent,anna & ben\n"
    )
    assert again.read_text(encoding="utf-8") == f"{HEAD}a,0,1.0,2.0,,\n"
    assert found["words"] == {"present": 0, "absent": 3, "unsure": 1}
    (agreed,) = found["agreement"]
    assert (agreed["first"], agreed["second"], agreed["both"], agreed["same"]) == (
        "anna", "ben", 3, 2,
    )  # fmt: skip
    assert found["listeners"]["anna"]["controls"]["missed"]["errors"] == 5
    assert "ben.csv: 4 verdicts name no listener, who is called 'ben'" in result.stderr
    assert "ben.csv: 1 rows without a verdict are left out" in result.stderr
    # anna misses a quarter, of ben nothing is known: together they are as sure as ben
    assert [v.confidence for v in read_verdicts(out, ["0"])] == [1.0] * 4
    alone = {v.span.start_s: v.confidence for v in read_verdicts(tables[0], ["0"])}
    assert alone[0] < 1
    text = CliRunner().invoke(main, command).stdout
    assert "missed 5 of 20 calls (25.0%, 95 % interval 8.7% to 49.1%)" in text
    assert "'anna' and 'ben' agree on 2 of 3 clips" in text
    out.write_text(HEAD, encoding="utf-8")
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert "both.csv: exists, and holds something else" in refused.stderr


@pytest.mark.parametrize(
    ("names", "message"),
    [(["anna", "anna"], "named twice"), (["empty"], "no verdict is filled in yet")],
)
def test_what_cannot_be_merged(
    tables: tuple[Path, Path], names: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "empty.csv").write_text(HEAD, encoding="utf-8")
    paths = [str(tmp_path / f"{name}.csv") for name in names]
    result = CliRunner().invoke(main, ["verdicts", *paths])
    assert result.exit_code == 2
    assert message in result.stderr


def test_all_is_written_or_nothing(tables: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "both.csv"
    command = ["verdicts", *map(str, tables), "-o", str(out), "--disagreed"]
    for there in (str(tables[0]), str(controls_beside(out)), str(tables[0] / "again.csv")):
        result = CliRunner().invoke(main, [*command, there])
        assert result.exit_code in (1, 2), result.output
        assert result.stderr.splitlines()[-1].startswith(f"Error: {there}: ")
        assert not out.exists()


def test_controls_of_other_tables_are_not_taken_for_theirs(tmp_path: Path) -> None:
    table, out = tmp_path / "anna.csv", tmp_path / "both.csv"
    table.write_text(HEAD + ANNA, encoding="utf-8")
    controls_beside(out).write_text("another's", encoding="utf-8")
    result = CliRunner().invoke(main, ["verdicts", str(table), "-o", str(out)])
    assert result.exit_code == 2
    assert "would be taken for controls" in result.stderr
    assert not out.exists()


def test_a_listener_is_one_person_who_says_one_thing(tmp_path: Path) -> None:
    paths = [tmp_path / name / "heard.csv" for name in ("x", "y")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(HEAD + BEN, encoding="utf-8")
    result = CliRunner().invoke(main, ["verdicts", *map(str, paths)])
    assert result.exit_code == 2
    assert "both have verdicts that name no listener" in result.stderr
    paths[0].write_text(HEAD + ANNA + ANNA.replace("absent", "present"), encoding="utf-8")
    result = CliRunner().invoke(main, ["verdicts", str(paths[0])])
    assert result.exit_code == 2
    assert "row 6: 'anna' says 'present', and 'absent'" in result.stderr
