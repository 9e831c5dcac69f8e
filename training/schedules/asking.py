"""What each round of a loop asks a person: a table of windows, as ``negmine ask`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from negmine.annotations.recordings import Recordings
from negmine.annotations.verdict_rows import Verdict
from negmine.asking.ask import Judgements, ask
from negmine.asking.settings import AskSettings
from negmine.asking.table import check_free, write_asked
from negmine.storage.files import write_json
from negmine.storage.text_files import read_json
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunContext, RunInputs
from training.engine.scorer import checkpoint_scorer


@dataclass(frozen=True)
class Asking:
    """Which recordings a round's model asks about, and how.

    Attributes
    ----------
    unlabelled : Recordings
    settings : AskSettings
    heard : sequence of Verdict
        What was judged already is not asked again.
    """

    unlabelled: Recordings
    settings: AskSettings
    heard: Sequence[Verdict] = ()

    def write(
        self,
        path: Path,
        checkpoint: Checkpoint,
        inputs: RunInputs,
        scores: Path,
        context: RunContext,
    ) -> None:
        """Write a round's table, and its report beside it; leave one of the same model as it is.

        Parameters
        ----------
        path : Path
            CSV, to be filled in.
        scores : Path
            Folder where scores of windows are kept.

        Raises
        ------
        InputError
            If a table of another model, or of other settings, is there with verdicts in it.
        """
        scorer = checkpoint_scorer(checkpoint, context.device)
        made_with = {"settings": self.settings.to_dict(), "model": scorer.fingerprint}
        report = path.with_suffix(".report.json")
        if path.exists() and report.exists():
            found = read_json(report, "remove it to ask again")
            if made_with.items() <= found.items():
                return
        check_free(path)
        judged = Judgements(inputs.annotations, inputs.recordings, self.heard)
        asked = ask(
            [scorer], self.unlabelled, judged, scores, self.settings, progress=context.progress
        )
        write_asked(path, asked)
        write_json(report, asked.report)
