"""A recipe in words: which recordings it is made of, which spans, what was done to them."""

from __future__ import annotations

from pathlib import Path

from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe

_TO = "\N{EN DASH}"


def ancestry(recipe: Recipe) -> list[str]:
    """Describe what a clip is made of, a line a layer, in the order of rendering.

    Files are named by the last part of their folder and their place in it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from negmine.recipes.labels import PartialLabels
    >>> from negmine.recipes.recipe import Layer, Source
    >>> rain = Source(Path("external"), "rain.wav", "f" * 32, 60.0, "external/rain.wav")
    >>> for line in ancestry(
    ...     Recipe("mix", (Layer(rain, 3.0), Layer(rain, 9.5, 6.0)), 2.0, 8000, PartialLabels())
    ... ):
    ...     print(line)
    external/rain.wav, 3–5 s
    + external/rain.wav, 9.5–11.5 s, 6 dB below the first
    """
    lines = []
    for number, layer in enumerate(recipe.layers):
        if layer.op == "add":
            text = _sound(layer, _length(layer, recipe), recipe.duration_s)
            if number:
                text = f"+ {text}, {_ratio(layer.snr_db or 0.0)}"
        elif layer.op == "insert":
            text = f"↳ put over it: {_sound(layer, layer.length_s or 0.0, recipe.duration_s)}"
        elif layer.op == "erase":
            text = f"↳ its band {_band(layer)} erased"
        else:
            donor = _sound(layer, recipe.duration_s, recipe.duration_s)
            text = f"↳ its band {_band(layer)} replaced by that of {donor}"
        lines.append(text)
    return lines


def _length(layer: Layer, recipe: Recipe) -> float:
    return recipe.duration_s - layer.offset_s if layer.length_s is None else layer.length_s


def _sound(layer: Layer, length_s: float, clip_s: float) -> str:
    """Describe a layer's source and span, and its place in the clip if it does not fill it."""
    source = layer.source
    if source is None:
        raise ValueError(f"'{layer.op}' has no source")
    if source.is_synthetic:
        text = f"generated {source.name} (seed {layer.seed})"
    else:
        file = (Path(source.root.name) / source.name).as_posix()
        text = f"{file}, {_seconds(layer.start_s)}{_TO}{_seconds(layer.start_s + length_s)} s"
    if layer.offset_s or length_s < clip_s:
        first, last = _seconds(layer.offset_s), _seconds(layer.offset_s + length_s)
        text += f", at {first}{_TO}{last} s of the clip"
    return text


def _seconds(seconds: float) -> str:
    """Format seconds to the millisecond, however long the recording."""
    return f"{round(seconds, 3):.12g}"


def _ratio(snr_db: float) -> str:
    if snr_db == 0:
        return "as loud as the first"
    return f"{abs(snr_db):.3g} dB {'below' if snr_db > 0 else 'above'} the first"


def _band(layer: Layer) -> str:
    return f"{layer.low_hz:.6g}{_TO}{layer.high_hz:.6g} Hz"
