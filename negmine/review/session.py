"""A review as it goes on: the clips, what was said of each, what comes next."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from math import isnan
from typing import Any

from negmine.annotations.listener_errors import ListenerErrors, absent_confidence, errors_of
from negmine.annotations.verdict_rows import WORDS
from negmine.errors import AudioError, InputError
from negmine.review.control_table import ControlTable
from negmine.review.outlook import Outlook, outlook
from negmine.review.review_clips import Key, ReviewClip
from negmine.review.review_sound import ClipSounds
from negmine.review.verdict_table import VerdictTable

# The page tells what more verdicts would bring after so many, not after each: else it would show
# which of them was on a control.
_OUTLOOK_AFTER = 10


class ReviewSession:
    """Clips in the order of judging, and their verdicts; thread-safe.

    A clip goes by its number, from 0.

    Parameters
    ----------
    tells : bool
        Whether it says what more verdicts would bring.
    """

    def __init__(
        self,
        clips: Sequence[ReviewClip],
        sounds: ClipSounds,
        table: VerdictTable,
        *,
        tells: bool = True,
    ) -> None:
        self.clips, self.sounds, self.table = tuple(clips), sounds, table
        self.controls = ControlTable(table.path, table.listener)
        self._numbers: dict[Key, int] = {clip.key: i for i, clip in enumerate(self.clips)}
        self._said: list[int] = []
        self._tells = tells
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

    def _word(self, clip: ReviewClip) -> str:
        return (self.controls if clip.known else self.table).word(clip.key)

    def _set(self, clip: ReviewClip, word: str) -> None:
        if clip.known:
            self.controls.say(clip, word, len(self.table))
        else:
            self.table.say(clip.key, word)

    def state(self) -> dict[str, Any]:
        """Return all that the page needs to know at first."""
        classes = sorted({clip.label for clip in self.clips})
        places = {name: i for i, name in enumerate(classes)}
        with self._lock:
            words = [self._word(clip) for clip in self.clips]
        return {
            "classes": classes,
            "class_of": [places[clip.label] for clip in self.clips],
            "words": words,
            "certificates": [clip.certificate for clip in self.clips],
            "doubts": [None if isnan(clip.doubt) else clip.doubt for clip in self.clips],
            "listener": self.table.listener,
            "table": str(self.table.path),
            "outlook": self.outlook_text(),
        }

    def show(self, number: int) -> dict[str, Any]:
        """Return what is written beside a clip, or why it cannot be heard."""
        clip = self.clip(number)
        about = {
            "number": number,
            "class": clip.label,
            "recording": clip.recording,
            "span": [clip.span.start_s, clip.span.end_s],
            "word": self._word(clip),
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
            self._set(clip, word)
            self._said = [one for one in self._said if one != number]
            if word:
                self._said.append(number)
                self.given += 1

    def news(self) -> str | None:
        """Return what more verdicts would bring, after every ten; None between."""
        return None if self.given % _OUTLOOK_AFTER else self.outlook_text()

    def outlook_text(self) -> str:
        """Return what more verdicts would bring, in words; empty where it is not told."""
        return self.outlook().to_text() if self._tells else ""

    def undo(self) -> int | None:
        """Take back the latest verdict on a clip of this review; return its number, if any."""
        with self._lock:
            number = self._said.pop() if self._said else self._latest_before()
            if number is not None:
                self._set(self.clips[number], "")
            return number

    def _latest_before(self) -> int | None:
        """Return the clip judged last in an earlier run."""
        judged = [key for key in self.table.judged() if key in self._numbers]
        controls = [one for one in self.controls.every() if one.key in self._numbers]
        if controls and (not judged or controls[-1].after >= len(self.table)):
            return self._numbers[controls[-1].key]
        return self._numbers[judged[-1]] if judged else None

    def outlook(self) -> Outlook:
        """Estimate what more verdicts would bring."""
        return outlook(self._word(clip) for clip in self.clips if not clip.known)

    def errors(self) -> tuple[ListenerErrors, float | None]:
        """Return the listener's errors on all controls kept, and how sure their absences are."""
        found = errors_of(self.controls.every(), self.table.listener)
        words = [self.table.word(key) for key in self.table.judged()]
        return found, absent_confidence(found, words)

    def summary(self) -> dict[str, Any]:
        """Return counts of verdicts by class, and of all; controls apart."""
        judged = [clip for clip in self.clips if not clip.known]
        counts: dict[str, Counter[str]] = {clip.label: Counter() for clip in judged}
        for clip in judged:
            counts[clip.label][self._word(clip)] += 1
        names = {**{word: word for word in WORDS}, "": "left"}
        errors, confidence = self.errors()
        return {
            "table": str(self.table.path),
            "listener": self.table.listener,
            "clips": len(judged),
            "given": self.given,
            "left": sum(count[""] for count in counts.values()),
            "classes": {
                label: {name: count[word] for word, name in names.items()}
                for label, count in counts.items()
            },
            "outlook": self.outlook().to_dict() if self._tells else None,
            "controls": errors.to_dict() | {"absent_confidence": confidence},
        }
