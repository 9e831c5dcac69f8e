"""Tables that people write: what external files are free of, which classes exclude each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.building.declarations import check_used, declared_files, read_declarations
from negmine.building.sources.exclusive import read_exclusive
from negmine.errors import InputError

CLASSES = ("frog", "owl", "heron")
FILES = ("africa/lake/a.wav", "africa/lake/b.wav", "africa/dry.wav", "asia/c.wav")


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def declared(tmp_path: Path, text: str, names: tuple[str, ...] = FILES) -> dict[str, set[str]]:
    table = read_declarations(written(tmp_path / "ranges.csv", text), CLASSES)
    return {k: set(v) for k, v in declared_files(names, CLASSES, table).items()}


def test_a_row_speaks_of_the_files_its_pattern_matches(tmp_path: Path) -> None:
    found = declared(
        tmp_path, "pattern,absent_classes\nafrica/lake,frog; owl\n*/?.wav,heron\nafrica/dry.wav,*\n"
    )
    assert found == {
        "africa/lake/a.wav": {"frog", "owl", "heron"},
        "africa/lake/b.wav": {"frog", "owl", "heron"},
        "africa/dry.wav": set(CLASSES),
        "asia/c.wav": {"heron"},
    }


def test_files_that_no_row_speaks_of_are_not_declared_and_other_folders_are(tmp_path: Path) -> None:
    text = "absent_classes,pattern\nfrog,africa/lake/a.wav\n"
    assert declared(tmp_path, text, FILES[:3]) == {"africa/lake/a.wav": {"frog"}}
    assert declared(tmp_path, text, FILES[3:]) == {"asia/c.wav": set(CLASSES)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pattern,absent_classes\nafrica/*,frgo\n", r"row 2: unknown class 'frgo' .*mean frog"),
        ("pattern,absent_classes\na,frog\n,owl\n", "row 3: no pattern"),
        ("pattern,absent_classes\nafrica/*,\n", "row 2: no class; name some, separated by ';'"),
        ("pattern,absent_classes\nafrica/*,;\n", "row 2: no class"),
        ("pattern,absent\nafrica/*,frog\n", "column 'absent' .*mean absent_classes"),
        ("pattern,absent_classes\n", "the table has a header and no rows"),
        ("", "the file is empty"),
    ],
)
def test_malformed_declarations_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_declarations(written(tmp_path / "ranges.csv", text), CLASSES)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_declarations(tmp_path / "none.csv", CLASSES)


def test_a_pattern_of_no_file_is_refused(tmp_path: Path) -> None:
    text = "pattern,absent_classes\nafrica/*,frog\nafrika/lake/*,owl\n"
    table = read_declarations(written(tmp_path / "ranges.csv", text), CLASSES)
    with pytest.raises(InputError, match=r"row 3: no file matches 'afrika/lake/\*'.*africa/lake"):
        check_used(table, dict.fromkeys(FILES))
    check_used(table[:1], dict.fromkeys(FILES))


def test_exclusion_holds_both_ways(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "class,excludes\nheron,frog\nowl,heron; frog\n")
    assert read_exclusive(path, CLASSES) == {
        "frog": ("owl", "heron"),
        "owl": ("frog", "heron"),
        "heron": ("frog", "owl"),
    }
    path = written(tmp_path / "x.csv", "class,excludes\nowl,heron\n")
    assert read_exclusive(path, CLASSES) == {"owl": ("heron",), "heron": ("owl",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,excludes\nowl,frog\nowll,frog\n", r"row 3: unknown class 'owll' .*mean owl"),
        ("class,excludes\nowl,herno\n", r"row 2: unknown class 'herno' .*mean heron"),
        ("class,excludes\nowl,owl\n", "row 2: class 'owl' cannot exclude itself"),
        ("class,excludes\nowl,*\n", "row 2: class 'owl' cannot exclude itself"),
        ("class,excludes\nowl;frog,heron\n", "row 2: one class is expected .*'owl;frog'"),
        ("class,excludes\n,heron\n", "row 2: no class"),
        ("class,exclude\nowl,heron\n", "column 'exclude' .*mean excludes"),
    ],
)
def test_malformed_exclusions_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_exclusive(written(tmp_path / "x.csv", text), CLASSES)
