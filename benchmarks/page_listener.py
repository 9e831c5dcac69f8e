"""A listener who knows the truth goes through a page of ``negmine review``, for experiments.

    negmine review asked.csv --recordings field/ --pool pool --no-browser --port 8123 &
    python -m benchmarks.page_listener http://127.0.0.1:8123/TOKEN/ EVENTS... --error 0.05

It asks the page's server what the page asks it for, and says what `benchmarks.listener` would say,
of controls as of all others, which it cannot tell from them. Then it ends the review.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import click

from benchmarks.certificates import read_events
from benchmarks.listener import Listener
from negmine.audio.windows import Span


def ask(url: str, place: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the server as its page does."""
    parts = urlsplit(url)
    headers = {"Origin": f"{parts.scheme}://{parts.netloc}", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url + place, content, headers), timeout=60) as answer:
        return json.load(answer)


def listen(url: str, listener: Listener) -> Counter[str]:
    """Judge every clip without a verdict; count what is said."""
    said = Counter[str]()
    for number, word in enumerate(ask(url, "state")["words"]):
        if word:
            continue
        clip = ask(url, f"clip/{number}")
        word = listener.hear(clip["recording"], clip["class"], Span(*clip["span"]))
        ask(url, "verdict", {"clip": number, "word": word})
        said[word] += 1
    return said


@click.command(help=__doc__)
@click.argument("url")
@click.argument("events", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--error", type=click.FloatRange(0, 1), default=0.0, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(url: str, events: Sequence[Path], error: float, seed: int) -> None:
    began = time.monotonic()
    said = listen(url, Listener(read_events(events), error, seed))
    ask(url, "finish", {})
    seconds = (time.monotonic() - began) / max(1, said.total())
    click.echo(f"{dict(said)}; {seconds:.3f} s a clip")


if __name__ == "__main__":
    main()
