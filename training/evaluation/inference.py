"""Full-clip inference: one pass over a recording gives its score and those of its windows.

A long recording goes through in overlapping pieces. What a piece's cut edges change is in the
overlap, which is dropped, so that the joined feature map is that of a single pass: to rounding, for
a network that sees less than the overlap; nearly, for one that also looks at the whole piece (the
squeeze-and-excitation blocks of EfficientNet). Memory holds one piece, however long the recording.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from negmine.audio.silence import SILENT_LOGIT
from training.config import TrainConfig
from training.engine.validate import ClipScorer
from training.evaluation.settings import PIECE_S
from training.models.model import FeatureMap, Model, to_frames
from training.models.readout import Frames, audible_windows, clip_pool, join_windows
from training.models.silence import or_silent

# Read on both sides of a piece: four times what the small CNN sees.
OVERLAP_S = 2.0


@dataclass(frozen=True)
class Reading:
    """What one pass found in a recording.

    Attributes
    ----------
    clip : float32 array, shape (C,)
        Logits of the whole recording.
    windows : float32 array, shape (N, C)
        Logits of its windows.
    start_s, end_s : float64 arrays, shape (N,)
        Where each window is, in seconds.
    duration_s : float
        Of the recording.
    audible : bool array, shape (N,)
        Windows that hold sound. The logits of others, and those of a recording in which none does,
        are `negmine.audio.silence.SILENT_LOGIT`.
    silent_s : float
        Seconds of silence, which no score has heard.
    """

    clip: np.ndarray
    windows: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    duration_s: float
    audible: np.ndarray
    silent_s: float = 0.0


@dataclass(frozen=True)
class WindowScores:
    """Windows of a recording, in order: see `Reading`.

    Attributes
    ----------
    logits : float32 array, shape (n, C)
    start_s, end_s : float64 arrays, shape (n,)
    audible : bool array, shape (n,)
    """

    logits: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    audible: np.ndarray


class RecordingScorer:
    """Reads recordings of any length.

    Parameters
    ----------
    config : TrainConfig
        For the rate, the precision, the readout and its window.
    hop_s : float, optional
        Step of the windows, at most their length; by default they are side by side.
    piece_s, overlap_s : float
        Longer recordings go through in pieces of this length, with so much more at both sides: at
        least as long as that.

    Attributes
    ----------
    grid : tuple of float
        Length and step of the windows in seconds, as whole frames of the feature map make them.
    """

    def __init__(
        self,
        detector: Model,
        config: TrainConfig,
        device: torch.device,
        *,
        hop_s: float | None = None,
        piece_s: float = PIECE_S,
        overlap_s: float = OVERLAP_S,
    ) -> None:
        self.detector, self.config = detector, config
        self.clips = ClipScorer(detector, config, device)
        grid = self.clips.grid
        rate = grid.per_second
        self.window = self.clips.window_frames
        beside = to_frames(grid.seconds(self.window), rate)
        self.hop = min(beside, to_frames(hop_s, rate)) if hop_s else beside
        # frames that are windows themselves are read one by one, and some left out
        self.step = min(self.hop, self.window)
        self.grid = grid.seconds(self.window), self.hop / rate
        # pieces begin at whole frames of the map, so that their frames are on one grid
        self.frame = max(1, round(config.sample_rate / rate))
        self.piece = math.ceil(piece_s * config.sample_rate / self.frame) * self.frame
        if detector.frozen:
            # a frame sees its own window alone
            self.before, self.after = 0, round(grid.beyond_s * config.sample_rate)
        else:
            frames = max(1, math.ceil(overlap_s * config.sample_rate / self.frame))
            self.before = self.after = frames * self.frame
        # what comes before a piece is read from the last one, which must be as long
        self.piece = max(self.piece, self.before)

    def begin(self, *, clip: bool = True) -> Pass:
        """Begin a pass over one recording, which is then handed over in blocks.

        Parameters
        ----------
        clip : bool
            Whether the recording as a whole is scored, too; it may have no end if not.
        """
        return Pass(self, clip=clip)

    def read(self, samples: np.ndarray) -> Reading:
        """Read a whole recording at once: float32 array, shape (T,)."""
        one = self.begin()
        one.add(samples)
        return one.end()


class Pass:
    """One pass over a recording, handed over block by block. Made by `RecordingScorer.begin`."""

    def __init__(self, scorer: RecordingScorer, *, clip: bool) -> None:
        self._scorer = scorer
        self._blocks: list[np.ndarray] = []  # from where the next piece is read
        self._held = 0  # samples in them
        self._lead = 0  # number of them, from the first, that were in the last piece, too
        self._total = 0
        self._windows = _Windows(scorer.detector, scorer.window, scorer.step)
        self._clip = _clip_readout(scorer) if clip else None
        self._silent = 0.0  # frames
        self._heard = False
        self._given = 0  # windows taken

    def add(self, samples: np.ndarray) -> None:
        """Add the next block: float32 array, shape (n,)."""
        scorer = self._scorer
        self._blocks.append(samples)
        self._held += len(samples)
        self._total += len(samples)
        while self._held >= (upto := self._lead + scorer.piece) + scorer.after:
            held = np.concatenate(self._blocks)
            self._read(held[: upto + scorer.after], scorer.piece // scorer.frame)
            self._blocks = [held[upto - scorer.before :]]
            self._held, self._lead = len(self._blocks[0]), scorer.before

    def take(self) -> WindowScores:
        """Return the windows found since the last call, and keep them no longer."""
        return self._take(ended=False)

    def end(self) -> Reading:
        """End the pass, once all blocks are added; return what it found, and was not taken."""
        scorer = self._scorer
        # of a frozen network, the last window of a piece may reach to the very end
        if not self._windows.length or self._held > scorer.after - scorer.before:
            self._read(np.concatenate([np.zeros(0, np.float32), *self._blocks]), None)
        self._windows.finish()
        found = self._take(ended=True)
        duration_s = self._total / scorer.config.sample_rate
        clip = self._clip.end().cpu().numpy() if self._clip else np.empty(0, np.float32)
        silent_s = self._silent / scorer.clips.grid.per_second
        return Reading(
            clip, found.logits, found.start_s, found.end_s, duration_s, found.audible,
            min(silent_s, duration_s) if self._heard else duration_s,
        )  # fmt: skip

    def _take(self, ended: bool) -> WindowScores:
        scorer, grid = self._scorer, self._scorer.clips.grid
        logits, audible = self._windows.found()
        # the last one stays, or the end would be in none
        every = scorer.hop // scorer.step
        last = self._given + len(logits) - 1
        upto = len(logits) - (not ended and len(logits) > 0 and last % every > 0)
        places = self._given + np.arange(upto)
        self._windows.keep(upto)
        self._given += upto
        chosen = (places % every == 0) | (ended & (places == last))
        places, audible = places[chosen], audible[:upto][chosen]
        self._heard = self._heard or bool(audible.any())
        start = places * scorer.step
        end = np.minimum(start + scorer.window, self._windows.length)
        rate = grid.per_second
        return WindowScores(
            logits[:upto][chosen], start / rate, end / rate + grid.beyond_s, audible
        )

    @torch.inference_mode()
    def _read(self, samples: np.ndarray, frames: int | None) -> None:
        """Take over the frames of a piece: this many, or all to its end."""
        features = self._scorer.clips.features(samples)
        first = self._lead // self._scorer.frame
        part = features.window(first, features.length if frames is None else first + frames)
        if part.audible is not None:
            self._silent += part.length - float(part.audible.sum())
        self._windows.add(part)
        if self._clip:
            self._clip.add(part)


class _Windows:
    """Logits of windows of a map that comes in parts: those of the whole map's windows."""

    def __init__(self, detector: Model, window: int, hop: int) -> None:
        self._detector, self._window, self._hop = detector, window, hop
        self._rest: FeatureMap | None = None  # from where the next window begins
        self._found: list[Tensor] = []
        self._audible: list[Tensor] = []
        self._any = False
        self.length = 0  # frames so far

    def add(self, part: FeatureMap) -> None:
        self.length += part.length
        rest = _join(self._rest, part) if self._rest else part
        whole = (rest.length - self._window) // self._hop + 1
        if whole > 0:
            upto = (whole - 1) * self._hop + self._window
            self._read(rest.window(0, upto))
            rest = rest.window(whole * self._hop, rest.length)
        self._rest = rest

    @torch.inference_mode()
    def finish(self) -> None:
        """Take over what is left, once all parts are added."""
        # the last window found has some of the rest
        reached = self._window - self._hop if self._any else 0
        if self._rest and self._rest.length > reached:
            self._read(self._rest)

    def end(self) -> tuple[Tensor, Tensor]:
        """Return all of them, shape (N, C), and which hold sound: bool, shape (N,)."""
        self.finish()
        return torch.cat(self._found), torch.cat(self._audible)

    def found(self) -> tuple[np.ndarray, np.ndarray]:
        """Return those found and not dropped yet, as `end` does."""
        if not self._found:
            return np.empty((0, 0), np.float32), np.empty(0, bool)
        return torch.cat(self._found).cpu().numpy(), torch.cat(self._audible).cpu().numpy()

    def keep(self, first: int) -> None:
        """Drop those before this one of what was found."""
        if self._found:
            self._found = [torch.cat(self._found)[first:]]
            self._audible = [torch.cat(self._audible)[first:]]

    def _read(self, features: FeatureMap) -> None:
        logits = self._detector.window_logits(features, self._window, self._hop)[0][0]
        if features.audible is None:
            audible = torch.ones(len(logits), dtype=torch.bool, device=logits.device)
        else:
            audible = audible_windows(features.audible, self._window, self._hop)[0]
        self._any = True
        self._found.append(logits.masked_fill(~audible.unsqueeze(-1), SILENT_LOGIT))
        self._audible.append(audible)


class _Windowed:
    """The readouts over windows, which overlap by half: those of `Detector.read_out`."""

    def __init__(self, scorer: RecordingScorer) -> None:
        self._windows = _Windows(scorer.detector, scorer.window, max(1, scorer.window // 2))
        self._config = scorer.config
        self.add = self._windows.add

    @torch.inference_mode()
    def end(self) -> Tensor:
        logits, audible = self._windows.end()
        config = self._config
        found = join_windows(logits[None], audible[None], config.readout, config.lse_sharpness)
        return or_silent(found, audible[None])[0]


class _Pooled:
    """The readouts that pool the whole map: its sums are those of its parts."""

    def __init__(self, scorer: RecordingScorer) -> None:
        self._detector = scorer.detector
        self._pooling = "power" if scorer.config.readout == "power" else None
        self._sums: Frames | None = None
        self._silent = True

    def add(self, part: FeatureMap) -> None:
        self._silent = self._silent and part.audible is not None and not bool(part.audible.any())
        frames = self._detector.frames(part, self._pooling)
        numerator, denominator = (
            part.sum(-1, keepdim=True) for part in (frames.numerator, frames.denominator)
        )
        if self._sums:
            numerator += self._sums.numerator
            denominator += self._sums.denominator
        self._sums = Frames(numerator, denominator, frames.rows)

    @torch.inference_mode()
    def end(self) -> Tensor:
        assert self._sums is not None
        logits = self._detector.logits(clip_pool(self._sums))[0]
        return torch.full_like(logits, SILENT_LOGIT) if self._silent else logits


def _clip_readout(scorer: RecordingScorer) -> _Windowed | _Pooled:
    return (_Windowed if scorer.config.readout in ("max", "lse") else _Pooled)(scorer)


def _join(first: FeatureMap, second: FeatureMap) -> FeatureMap:
    pairs = zip(first.maps, second.maps, strict=True)
    audible = None
    if not (first.audible is None and second.audible is None):
        audible = torch.cat([_audible(first), _audible(second)], dim=1)
    return FeatureMap(tuple(torch.cat(pair, dim=-1) for pair in pairs), audible)


def _audible(part: FeatureMap) -> Tensor:
    if part.audible is None:
        return torch.ones(1, part.length, device=part.maps[0].device)
    return part.audible
