"""Rounds of train, mine, retrain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from negmine.annotations.verdict_rows import Verdict
from negmine.mining.exclusions import heard_present, heard_rows
from negmine.mining.mine import MineSettings, mine
from negmine.mining.mine_report import model_name
from negmine.mining.selection import check_made_with, is_whole, open_selection
from negmine.pool import Pool
from negmine.progress import Progress
from negmine.recipes.cache import CachedReader
from negmine.report.html import Beside, Earlier, clips_to_render, write_report
from negmine.report.read_report import read_report, report_path
from negmine.storage.digests import text_fingerprint
from negmine.storage.files import write_json
from training.config import TrainConfig
from training.data.pool_rows import check_pool
from training.data.settings import LOOP_HARD_USE, LOOP_SAMPLES, HardUse
from training.engine.checkpoint import Checkpoint
from training.engine.history import scores_table, validation_score
from training.engine.inputs import HardInputs, RunContext, RunInputs, SampleInputs
from training.engine.run import run_training
from training.engine.scorer import checkpoint_scorer
from training.schedules.asking import Asking
from training.schedules.settings import LoopSettings


@dataclass(frozen=True)
class Round:
    """One round's outcome.

    Attributes
    ----------
    number : int
        0 has no mined rows.
    arm : str
        ``base`` in round 0, then ``mined``, or ``random`` for the control.
    negatives : int
        Rows of the selection that trained.
    metrics : mapping of str to float
        Of the chosen epoch: ``loss``, and on known labels ``known_ap``, ``neg@3``, ``neg@5``,
        without those that are the same for any model.
    """

    number: int
    arm: str
    negatives: int
    checkpoint: Path
    metrics: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        metrics = {k: v for k, v in self.metrics.items() if k != "epoch"}
        return {"round": self.number, "arm": self.arm, "negatives": self.negatives} | metrics


@dataclass(frozen=True)
class Mining:
    """What each round mines from, and how.

    Attributes
    ----------
    use : HardUse
        How what was mined trains.
    reader : CachedReader, optional
        Where mining reads the pool's sound from; from its files by default.
    heard : sequence of Verdict
        Nothing is chosen for a class that shares sound with a window in which it was heard, and
        doubt goes by what was heard.
    """

    pool: Pool
    settings: MineSettings
    use: HardUse = LOOP_HARD_USE
    reader: CachedReader | None = None
    heard: Sequence[Verdict] = ()


def run_loop(
    config: TrainConfig,
    inputs: RunInputs,
    out: Path,
    context: RunContext,
    settings: LoopSettings,
    mining: Mining,
    asking: Asking | None = None,
) -> list[Round]:
    """Train with random certified negatives, then mine and train with what was mined added.

    What a model has heard decides what it is fooled by: one that never heard an external sound
    mines those that any random ones would have settled. So round 0 has random rows of the pool
    already, and all rounds keep them, at the same dose. Each round mines afresh with the last
    round's model, and trains from scratch with the same seed, so that rounds differ in their mined
    rows alone. A share of what the round before trained with may stay beside the new ones.

    All files stay: ``round0/``, ``round1/hard.parquet``, ... A loop that was stopped resumes where
    it was: finished runs are read, a started one is continued.

    Parameters
    ----------
    inputs : RunInputs
        Where ``samples`` has no random negatives, those of the pool are added.
    asking : Asking, optional
        Each round's model then writes ``ask.csv``, a table of windows for a person to hear.

    Raises
    ------
    PoolError
        If the pool has other classes, or clips of another length: raised before any training.
    """
    pool = mining.pool
    check_pool(pool, config, inputs.annotations.classes, f"pool {pool.path}")
    progress = context.progress
    if not any(one.what == "negatives" for one in inputs.samples):
        random_rows = SampleInputs(pool, "negatives", LOOP_SAMPLES.negative_ratio)
        inputs = replace(inputs, samples=[*inputs.samples, random_rows])
    never, heard = heard_present(mining.heard, pool), heard_rows(mining.heard, pool)
    results: list[Round] = []

    def run(number: int, arm: str, selection: Path | None, folder: Path, title: str) -> Checkpoint:
        hard = [HardInputs(selection, mining.use, pool.path)] if selection else []
        trained = run_training(config, replace(inputs, hard=hard), folder, context, title)
        best = trained.checkpoint.history[-1]
        results.append(Round(number, arm, trained.used, folder / "best.pt", best))
        if asking and arm != "random":
            asking.write(folder / "ask.csv", trained.checkpoint, inputs, out / "scores", context)
        return trained.checkpoint

    checkpoint = run(0, "base", None, out / "round0", "round 0: random negatives")
    best, since = _score(checkpoint), 0
    earlier: tuple[Path, Path] | None = None
    for number in range(1, settings.rounds + 1):
        folder = out / f"round{number}"
        mined_rows, random = folder / "hard.parquet", folder / "hard.control.parquet"
        made_with = _made_with(mining, checkpoint, earlier, settings.replay)
        if is_whole(random) and is_whole(mined_rows):
            for path in (mined_rows, random):
                check_made_with(path, made_with)
        else:
            # of an earlier selection, if there is one
            (folder / "report.html").unlink(missing_ok=True)
            advance = progress(f"round {number}: mining", len(pool) + len(pool.calls), "clip")
            scorer = checkpoint_scorer(checkpoint, context.device)
            mined = mine(
                scorer, pool, out / "scores", mining.settings,
                exclude=never, heard=heard, reader=mining.reader, on_rows=advance,
            )  # fmt: skip
            found = [mined.selection, mined.control]
            if earlier:
                found = [
                    open_selection(old).join(new, settings.replay, mining.settings.seed + number)
                    for old, new in zip(earlier, found, strict=True)
                ]
            report = mined.report.to_dict() | {
                "selection": found[0].digest,
                "model_name": model_name(results[-1].checkpoint),
            }
            write_json(folder / "hard.report.json", report)
            for path, selection in ((random, found[1]), (mined_rows, found[0])):
                replace(selection, made_with=made_with).write(path)
        if settings.report and not (folder / "report.html").exists():
            _write_page(folder / "report.html", mined_rows, earlier and earlier[0], pool, progress)
        earlier = mined_rows, random
        if settings.control:
            run(number, "random", random, out / f"round{number}-random", f"round {number}: random")
        checkpoint = run(number, "mined", mined_rows, folder, f"round {number}: mined")
        score = _score(checkpoint)
        # without a validation fold there is no score, and nothing to stop for
        since = since + 1 if score <= best else 0
        best = max(best, score)
        if settings.stop_after and since == settings.stop_after:
            break
    return results


def _made_with(
    mining: Mining,
    checkpoint: Checkpoint,
    earlier: tuple[Path, Path] | None,
    replay: float,
) -> dict[str, str]:
    """Describe what a round's selections are made with, by option names where there are any."""
    pool, chosen = mining.pool, mining.settings
    groups = repr(pool.sources.groups)
    # batch_size changes how fast it is, not what comes out
    settings = {
        "per-class": chosen.per_class,
        "strategy": chosen.rules.text,
        # an earlier version could choose it while mining
        "window": "in the strategy",
        "max-doubt": chosen.max_doubt,
        "min-distance": chosen.min_distance,
        "seed": chosen.seed,
        "verdicts": text_fingerprint(repr(mining.heard)) if mining.heard else "none",
        "replay": replay if earlier else 0,
        "model": checkpoint.fingerprint,
        "pool": pool.digest,
        "groups of the pool": text_fingerprint(groups),
        "selection of the round before": open_selection(earlier[0]).digest if earlier else "",
    }
    return {name: str(value) for name, value in settings.items()}


def _write_page(
    path: Path, hard: Path, before: Path | None, pool: Pool, progress: Progress
) -> None:
    """Write a round's selection as a page, beside the round before."""
    selection = open_selection(hard, pool.path)
    earlier = Earlier(open_selection(before), read_report(report_path(before))) if before else None
    advance = progress("rendering the page", clips_to_render(selection, pool), "clip")
    write_report(
        path, selection, pool, read_report(report_path(hard)),
        before=earlier, beside=Beside(hard.name), on_clip=advance,
    )  # fmt: skip


def _score(checkpoint: Checkpoint) -> float:
    """Return the validation score of the chosen epoch; NaN where nothing validates."""
    return validation_score(checkpoint.history[-1])


def loop_table(rounds: Sequence[Round]) -> tuple[list[str], list[list[str]]]:
    """Return headers and cells of the table of rounds."""
    rows = [((r.number, r.arm, r.negatives), r.metrics) for r in rounds]
    return scores_table(("round", "arm", "negatives"), rows)
