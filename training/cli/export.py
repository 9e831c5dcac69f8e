"""The command ``export-model``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

import click

from negmine.cli.console import CleanCommand, print_json, quiet_and_json, say


@click.command("export-model", cls=CleanCommand)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@quiet_and_json
def export_model(checkpoint: Path, out: Path, quiet: bool, as_json: bool) -> None:
    """Write a CHECKPOINT as a program that runs without the trainer.

    OUT ends in .onnx, which takes the extras negmine[train,onnx]. The program takes waveforms and
    gives embeddings and logits, in fp32, of any number of clips of any length; classes, rate and
    held-out recordings are in the file. It is first held against the checkpoint, and not written
    where it differs. 'negmine mine --model' takes it like a checkpoint.

    \b
    Example:
      negmine export-model run/best.pt model.onnx
    """
    from training.engine.checkpoint import Checkpoint
    from training.export.onnx import export_model as export

    done = export(Checkpoint.load(checkpoint), out)
    about = done.description
    if as_json:
        print_json(
            {
                "model": str(out),
                "classes": list(about.classes),
                "sample_rate": about.sample_rate,
                "clip_s": about.clip_s,
                "held_out": sorted(about.held_out),
                "checkpoint": about.checkpoint,
                "largest_difference": done.difference,
                "clips_compared": done.clips,
            }
        )
        return
    if done.precision != "fp32":
        say(f"the checkpoint scores in {done.precision}, the program in fp32", quiet)
    say(
        f"{out}: {len(about.classes)} classes, {about.sample_rate} Hz; on {done.clips} made clips "
        f"its outputs differ from the checkpoint's by at most {done.difference:.1e} of the largest",
        quiet,
    )
