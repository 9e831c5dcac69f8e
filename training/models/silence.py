"""Silence in what a network is given: where it is, and sound in its place.

A network has met no level as low as that of digital silence, and what it says there means nothing.
So silence is replaced by the sound next to it, mirrored, as the front end does at a clip's ends,
and the frames of the feature map that are in it count in no readout. All of it is plain arithmetic
on tensors, so that an exported program does the same.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from negmine.audio.silence import SILENCE_RMS, SILENT_LOGIT

# Levels are taken in blocks of a spectrogram's step (16 ms): long recordings are cut to pieces on
# the same grid. Fewer silent blocks in a row (a buffer that was lost) are too short to leave out.
_LEAST_BLOCKS = 6

# What is replaced is found in finer steps, an eighth of a block (2 ms): the ends of a gap, and gaps
# of some 10 ms and more. A spectrogram shows no shorter ones.
_STEPS = 8
_LEAST_STEPS = 5

# Sound between two gaps that is shorter than these steps (6 ms) is replaced with them: mirrored to
# and fro, it would become a tone.
_LEAST_SOUND = 3

# Sound is mirrored over 2^13 steps (16 s) from the edge of a gap at most: further into it there is
# nothing for the edge's frames to see.
_DOUBLINGS = 13


def audible_blocks(waveforms: Tensor, block: int, least: int = _LEAST_BLOCKS) -> Tensor:
    """Return which blocks hold sound: bool, shape (B, T // block + 1), of waveforms (B, T).

    Fewer than ``least`` silent ones in a row count as sound. The last one is that of what is left
    over; its level is that of the last whole ``block``.
    """
    whole = waveforms.unfold(1, block, block)
    blocks = torch.cat([whole, waveforms[:, -block:].unsqueeze(1)], dim=1)
    level = (blocks - blocks.mean(-1, keepdim=True)).square().mean(-1)
    return ~_runs(level < SILENCE_RMS**2, least)


def _runs(flags: Tensor, least: int) -> Tensor:
    """Keep the runs of at least so many, what is beyond the ends included: bool, shape (B, N)."""
    flat = F.pad(flags.float().unsqueeze(1), (least - 1, least - 1), value=1.0)
    return F.max_pool1d(-F.max_pool1d(-flat, least, 1), least, 1)[:, 0] > 0


def audible_steps(waveforms: Tensor, audible: Tensor, block: int) -> tuple[Tensor, int]:
    """Return where sound stays, in finer steps than blocks: see `filled`.

    Parameters
    ----------
    waveforms : float Tensor, shape (B, T)
    audible : bool Tensor, shape (B, N)
        From `audible_blocks`.

    Returns
    -------
    steps : bool Tensor, shape (B, T // step + 1)
    step : int
        Samples of a step.
    """
    step = max(1, block // _STEPS)
    steps = _runs(audible_blocks(waveforms, step, _LEAST_STEPS), _LEAST_SOUND)
    begins = torch.arange(steps.shape[1], device=waveforms.device) * step
    return steps & audible[:, begins // block], step


def filled(waveforms: Tensor, audible: Tensor, block: int) -> Tensor:
    """Fill silent blocks of waveforms, (B, T), with the sound nearest to them, mirrored.

    Where that is shorter than the gap, it is mirrored to and fro. Where it is too far away, silence
    remains.
    """
    length, blocks = waveforms.shape[1], audible.shape[1]
    number = torch.arange(blocks, device=waveforms.device)
    before, after = _last_before(audible, number), _first_after(audible, number)
    # at the end of the sound before, or at the beginning of the sound after
    left = number - before <= after - number
    # from where that sound lasts, and to where
    begins = (_last_before(~audible, number) + 1).clamp(min=0).gather(1, before.clamp(min=0))
    ends = _first_after(~audible, number).clamp(max=blocks)
    ends = (ends.gather(1, after.clamp(max=blocks - 1)) * block).clamp(max=length)
    edge = torch.where(left, before + 1, after) * block
    lasts = torch.where(left, edge - begins * block, ends - edge).clamp(min=1)
    reached = (before >= 0) | (after < blocks)

    at = torch.arange(length, device=waveforms.device)
    of_block = at // block
    left, edge, lasts = left[:, of_block], edge[:, of_block], lasts[:, of_block]
    away = torch.where(left, at - edge, edge - 1 - at) % (2 * lasts)
    back = torch.where(away < lasts, away, 2 * lasts - 1 - away)
    source = torch.where(left, edge - 1 - back, edge + back)
    return waveforms.gather(1, torch.where((~audible & reached)[:, of_block], source, at))


def _last_before(audible: Tensor, number: Tensor) -> Tensor:
    """Find the last audible block up to each: int64, shape of ``audible``; far below 0 for none.

    A running maximum by doubling, which ONNX has no operation for.
    """
    none = -(1 << 40)
    found = torch.where(audible, number, none)
    for i in range(_DOUBLINGS):
        earlier = F.pad(found, (1 << i, 0), value=none)[:, : audible.shape[1]]
        found = torch.maximum(found, earlier)
    return found


def _first_after(audible: Tensor, number: Tensor) -> Tensor:
    """Find the nearest audible block from each one on: far above the last for none."""
    return audible.shape[1] - 1 - _last_before(audible.flip(1), number).flip(1)


def without_silence(waveforms: Tensor, block: int) -> tuple[Tensor, Tensor | None]:
    """Put sound in the place of silence, as a network is to receive it.

    Returns
    -------
    sound : Tensor, shape (B, T)
    audible : bool Tensor, shape (B, N), or None
        Which blocks hold sound; None where no clip has a gap.
    """
    audible = audible_blocks(waveforms, block)
    steps, step = audible_steps(waveforms, audible, block)
    if torch.compiler.is_compiling():  # a program does the same for any clip
        return filled(waveforms, steps, step), audible
    gaps = ~steps.all(dim=1)
    if not gaps.any():
        return waveforms, None
    sound = waveforms.clone()
    sound[gaps] = filled(waveforms[gaps], steps[gaps], step)
    return sound, audible


def audible_frames(audible: Tensor, block: int, frames: int, spacing: int) -> Tensor:
    """Return which frames of a map hold sound, if only a block: float, shape (B, frames).

    Parameters
    ----------
    audible : bool Tensor, shape (B, N)
        From `audible_blocks`.
    block : int
        The spectrogram's step: its first column is round the first sample.
    spacing : int
        Samples from one frame to the next.
    """
    upto = F.pad(audible.long().cumsum(1), (1, 0))
    last = audible.shape[1]
    start = torch.arange(frames, device=audible.device) * spacing - block // 2
    first = (start // block).clamp(min=0, max=last - 1)
    end = torch.maximum(-(-(start + spacing) // block), first + 1).clamp(max=last)
    return (upto[:, end] > upto[:, first]).float()


def or_silent(logits: Tensor, audible: Tensor) -> Tensor:
    """Replace logits, (B, C), by `SILENT_LOGIT` where nothing of (B, T) or (B, N) is audible."""
    return torch.where((audible > 0).any(dim=1, keepdim=True), logits, SILENT_LOGIT)
