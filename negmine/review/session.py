"""A review as it goes on: the clips, what was said of each, what comes next."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from negmine.annotations.verdicts import WORDS
from negmine.errors import AudioError, InputError
from negmine.review.review_clips import Key, ReviewClip
from negmine.review.review_sound import ClipSounds
from negmine.review.verdict_table import VerdictTable


class ReviewSession:
    """Clips in the order of judging, and their verdicts; thread-safe.

    A clip goes by its number, from 0.
    """

    def __init__(
        self, clips: Sequence[ReviewClip], sounds: ClipSounds, table: VerdictTable
    ) -> None:
        self.clips, self.sounds, self.table = tuple(clips), sounds, table
        self._numbers: dict[Key, int] = {clip.key: i for i, clip in enumerate(self.clips)}
        self._lock = threading.Lock()
        self.given = 0

    def clip(self, number: int) -> ReviewClip:
        """Return a clip.

        Raises
        ------
        InputError
            If there is none of this number.
        """
        if not 0 <= number < len(self.clips):
            raise InputError(f"no clip {number}: there are {len(self.clips)}, from 0")
        return self.clips[number]

    def state(self) -> dict[str, Any]:
        """Return all that the page needs to know at first."""
        classes = sorted({clip.label for clip in self.clips})
        places = {name: i for i, name in enumerate(classes)}
        with self._lock:
            words = [self.table.word(clip.key) for clip in self.clips]
        return {
            "classes": classes,
            "class_of": [places[clip.label] for clip in self.clips],
            "words": words,
            "listener": self.table.listener,
            "table": str(self.table.path),
        }

    def show(self, number: int) -> dict[str, Any]:
        """Return what is written beside a clip, or why it cannot be heard."""
        clip = self.clip(number)
        about = {
            "number": number,
            "class": clip.label,
            "recording": clip.recording,
            "span": [clip.span.start_s, clip.span.end_s],
            "word": self.table.word(clip.key),
            "nearest": self.sounds.has_call(clip),
        }
        try:
            return about | self.sounds.axes(clip)
        except AudioError as error:
            return about | {"error": str(error)}

    def say(self, number: int, word: str) -> None:
        """Set a clip's verdict, or take it back with an empty word; on the disk on return.

        Raises
        ------
        InputError
            If there is no such clip, or the word is none.
        AudioError
            If the clip cannot be heard, and so not judged.
        OutputError
            If the table cannot be written.
        """
        clip = self.clip(number)
        if word and word not in WORDS:
            raise InputError(f"'{word[:20]}' is no verdict; say {', '.join(WORDS)}, or nothing")
        if word:
            self.sounds.hear(clip)
        with self._lock:
            self.table.say(clip.key, word)
            self.given += bool(word)

    def undo(self) -> int | None:
        """Take back the latest verdict on a clip of this review; return its number, if any."""
        with self._lock:
            for key in reversed(self.table.keys()):
                if key in self._numbers:
                    self.table.say(key, "")
                    return self._numbers[key]
        return None

    def summary(self) -> dict[str, Any]:
        """Return counts of verdicts by class, and of all."""
        counts: dict[str, Counter[str]] = {clip.label: Counter() for clip in self.clips}
        for clip in self.clips:
            counts[clip.label][self.table.word(clip.key)] += 1
        names = {**{word: word for word in WORDS}, "": "left"}
        return {
            "table": str(self.table.path),
            "listener": self.table.listener,
            "clips": len(self.clips),
            "given": self.given,
            "left": sum(count[""] for count in counts.values()),
            "classes": {
                label: {name: count[word] for word, name in names.items()}
                for label, count in counts.items()
            },
        }
