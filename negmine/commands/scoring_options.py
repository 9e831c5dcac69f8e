"""The options of commands that score clips with a model."""

from __future__ import annotations

from pathlib import Path

import click

device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ..."
)
pool_option = click.option(
    "--pool", type=click.Path(path_type=Path), required=True, help="From 'negmine build-pool'."
)
model_option = click.option(
    "--model",
    type=click.Path(path_type=Path),
    required=True,
    help="A checkpoint, or what a plug-in reads.",
)
cache_option = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="From 'negmine cache'.  [default: the one in the pool's folder, if it fits]",
)
batch_size_option = click.option(
    "-b",
    "--batch-size",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Clips scored at a time.",
)
