"""Classes that were rejected and never confirmed: nothing can be learnt of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from negmine.annotations.schema import Annotation
from negmine.errors import AnnotationError, did_you_mean, shorten
from negmine.formats.entry import Notes


def without_uncalled(boxes: Sequence[Annotation], skip: bool, notes: Notes) -> list[Annotation]:
    """Return boxes of the classes that have a confirmed call.

    Parameters
    ----------
    skip : bool
        Leave the others out, and note them.

    Raises
    ------
    AnnotationError
        Naming all others at once, unless they are left out.
    """
    called = {box.label for box in boxes if box.present}
    rejected = Counter(box.label for box in boxes if box.label not in called)
    if not rejected or (not called and not skip):
        return list(boxes)
    listed = [
        f"'{label}' ({count} rows)" + ("" if label.isdigit() else did_you_mean(label, called))
        for label, count in rejected.most_common()
    ]
    first = next(box.where for box in boxes if box.label in rejected)
    what = (
        f"{len(rejected)} {'class has' if len(rejected) == 1 else 'classes have'} rejections and "
        f"no confirmed call: {shorten(listed, 20)}; the first: {first}"
    )
    if not skip:
        raise AnnotationError(
            f"{what}; add a call of each, take the rows out, or leave these classes out with "
            "--skip-uncalled-classes"
        )
    notes.say(f"left out {rejected.total()} rows: {what}")
    return [box for box in boxes if box.label in called]
