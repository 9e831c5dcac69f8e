"""Which settings have no effect beside the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from negmine.settings.models import Setting, Settings, When, first_flag, settings_of


def no_effect(
    given: Iterable[Setting], *made: Settings, beside: Mapping[str, object] | None = None
) -> Iterator[str]:
    """Yield a line for each setting that changes nothing, with what would make it act.

    Parameters
    ----------
    given : iterable of Setting
        Those that were set on purpose.
    *made : Settings
        Of several, such as the stages of a recipe, one that uses a setting is enough.
    beside : mapping of str to object, optional
        The command's other options, by their flags.
    """
    for one in given:
        missing = [_missing(one, settings, beside or {}) for settings in made]
        if all(missing):
            yield f"{first_flag(one)} has no effect without {missing[0]}"


def _missing(one: Setting, made: Settings, beside: Mapping[str, object]) -> str:
    """Return what a setting lacks to act; nothing if it acts.

    What it needs must act itself.
    """
    found = [_lacked(when, one, made, beside) for when in one.needs]
    if not all(lack for lack, _ in found):
        return ""
    deeper = [lack for lack, there in found if there]
    return min(deeper) if deeper else " or ".join(lack for lack, _ in found)


def _lacked(
    when: When, one: Setting, made: Settings, beside: Mapping[str, object]
) -> tuple[str, bool]:
    """Return what a need lacks, nothing if it is met, and whether what it names is there."""
    other = _needed(type(made), one, when)
    if other:
        there = when.holds(other.of(made))
        lack = _missing(other, made, beside) if there else when.words(first_flag(other))
    else:
        there = when.name not in beside or when.holds(beside[when.name])
        lack = "" if there else when.words(when.name)
    if when.also and not lack:
        return _lacked(when.also, one, made, beside)
    return lack, there


def _needed(model: type[Settings], one: Setting, when: When) -> Setting | None:
    """Return the setting that another needs; None for an option that is no setting."""
    if when.name.startswith("--"):
        return None
    return {other.path: other for other in settings_of(model)}[when.path(one.path)]


def needs_text(model: type[Settings], one: Setting) -> str:
    """Return what a setting of a model needs to act, as flags; nothing if it always acts."""

    def text(when: When) -> str:
        other = _needed(model, one, when)
        own = when.words(first_flag(other) if other else when.name)
        return f"{own} and {text(when.also)}" if when.also else own

    return " or ".join(map(text, one.needs))
