"""A pool, and what is mined from it, is the same to the byte in every process."""

from __future__ import annotations

from pathlib import Path

from conftest import Data
from programs import HASH_SEEDS, with_hash_seeds

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from conftest import Data, small_settings
from placeholder import PlaceholderScorer
from negmine.annotations import read_rfcx
from negmine.building import build_pool
from negmine.mining.mine import MineSettings, mine
from negmine.pool import open_pool
from negmine.synthesis.into_pool import rules_for, synthesise_into
from negmine.synthesis.settings import SynthesisSettings

data, out = Data(Path(sys.argv[1])), Path(sys.argv[2])
annotations = read_rfcx(data.tp, data.fp)
settings = small_settings(
    mix=60, erase={"count": 20}, transplant={"count": 20}, noise={"count": 8},
    near={"exclusive": sys.argv[3]}, holdout=("rec01",),
)
sites = lambda names, partial=False: {n: f"site{sum(n.encode()) % 3}" for n in names}
build_pool(data.recordings, annotations, out / "pool", external=[f"{data.external}=1,0"],
           settings=settings, site_of=sites)
pool = open_pool(out / "pool")
scorer = PlaceholderScorer(held_out=frozenset({"rec00", "rec05"}))
found = SynthesisSettings(budget=60, per_class=5)
synthesise_into(scorer, pool, found, rules_for(pool, annotations))
pool = open_pool(out / "pool")
strategy = "top + quota:by=group,most=3 + diverse"
mined = mine(scorer, pool, out / "scores", MineSettings(per_class=9, strategy=strategy))
(out / "mined.txt").write_text(repr((mined.selection.rows, mined.control.rows, mined.review.rows,
                                     mined.report.to_dict())))
(out / "labels.txt").write_text(repr([list(recipe.labels.absent) for recipe in pool]))
"""


def test_the_hash_seed_changes_nothing(shared_data: Data, tmp_path: Path) -> None:
    exclusive = tmp_path / "exclusive.csv"
    exclusive.write_text("class,excludes\n0,1\n")
    for seed in HASH_SEEDS:
        (tmp_path / seed).mkdir()
    with_hash_seeds(
        lambda seed: [PROGRAM, str(shared_data.root), str(tmp_path / seed), str(exclusive)]
    )
    made = [
        {
            str(path.relative_to(tmp_path / seed)): path.read_bytes()
            for path in sorted((tmp_path / seed).rglob("*"))
            if path.is_file()
        }
        for seed in HASH_SEEDS
    ]
    assert made[0].keys() == made[1].keys()
    assert [name for name in made[0] if made[0][name] != made[1][name]] == []
