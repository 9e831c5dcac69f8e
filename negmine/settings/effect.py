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
    missing = []
    for when in one.needs:
        other = _needed(type(made), one, when)
        if other is None and when.holds(beside.get(when.name)):
            return ""
        if other and when.holds(other.of(made)):
            missing.append(_missing(other, made, beside))
    # the empty one comes first
    return min(missing, default=needs_text(type(made), one))


def _needed(model: type[Settings], one: Setting, when: When) -> Setting | None:
    """Return the setting that another needs; None for an option that is no setting."""
    if when.name.startswith("--"):
        return None
    path = when.path(one.path)
    return next(other for other in settings_of(model) if other.path == path)


def needs_text(model: type[Settings], one: Setting) -> str:
    """Return what a setting of a model needs to act, as flags; nothing if it always acts."""
    others = ((when, _needed(model, one, when)) for when in one.needs)
    return " or ".join(
        when.words(first_flag(other) if other else when.name) for when, other in others
    )
