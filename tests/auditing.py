"""What the tests of audits share: commands, listeners, keys made by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from click.testing import CliRunner, Result

from negmine.audit.audit_folder import ClipVerdict, Key, read_key
from negmine.audit.frames import Claim
from negmine.cli.main import main
from negmine.mining.selection import Chosen, Selection
from negmine.pool import Pool


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


def fails(result: Result, message: str, code: int = 2) -> None:
    assert result.exit_code == code, result.output
    lines = result.stderr.replace("\r", "\n").strip().split("\n")
    assert lines[-1].startswith("Error: ")
    assert re.search(message, lines[-1]), lines[-1]


def fill(folder: Path, word: Callable[[Claim], str]) -> list[Claim]:
    """Fill the verdicts in by what each clip is."""
    key = read_key(folder / "key.parquet")
    table = pd.read_csv(folder / "verdicts.csv", dtype=str, keep_default_na=False)
    table["verdict"] = [word(claim) for claim in key.claims]
    table.to_csv(folder / "verdicts.csv", index=False)
    return list(key.claims)


def key_of(strata: dict[str, tuple[int, int]], controls: int, confidence: float = 0.9) -> Key:
    """A key of (size, drawn) strata ``certificate, kind``."""
    claims = []
    for name, (size, drawn) in strata.items():
        certificate, kind = name.split(", ")
        claims += [
            Claim(
                f"r{i}",
                "01"[i % 2],
                False,
                kind,
                certificate,
                confidence,
                stratum=name,
                stratum_size=size,
            )
            for i in range(drawn)
        ]
    claims += [Claim(f"c{i}", "0", True, "tp") for i in range(controls)]
    names = tuple(f"x-{i}.flac" for i in range(len(claims)))
    about = {
        "source": "pool",
        "path": "p",
        "pool": "p",
        "pool_digest": "d",
        "seed": 0,
        "by": ["certificate", "kind"],
        "settings": {},
    }
    return Key(names, tuple(claims), about)


def verdicts(*words: tuple[str, int]) -> list[ClipVerdict]:
    return [ClipVerdict(word) for word, n in words for _ in range(n)]


def selection(pool: Pool, per_class: int = 20) -> Selection:
    """Certified rows with scores that fall, class by class, the classes' rows in turn."""
    rows = []
    for label in pool.classes:
        certified = [recipe for recipe in pool if label in recipe.labels.absent][:per_class]
        for rank, recipe in enumerate(certified):
            absence = recipe.labels.absent[label]
            rows.append(
                Chosen(
                    recipe=recipe.id,
                    label=label,
                    score=5.0 - rank,
                    rank=rank + 1,
                    kind=recipe.kind,
                    certificate=absence.certificate.value,
                    confidence=absence.confidence,
                    nearest_call="",
                    distance=np.nan,
                    doubt=0.25 if rank < 2 else 0.0,
                )
            )
    return Selection(tuple(rows[::-1]), pool.path, pool.digest, "model")
