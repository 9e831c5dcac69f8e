"""Options that act only beside others: given without them, they are refused, not ignored.

What goes with what is a table in each command's module. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import click
from click.core import ParameterSource


class Beside(NamedTuple):
    """An option that gives others something to act on, by its parameter's name.

    Attributes
    ----------
    option : str
    values : tuple of str
        Any one of them does; none named: any value that is not empty, zero or off.
    least : int, optional
        Only so much of it, or more, does.
    """

    option: str
    values: tuple[str, ...] = ()
    least: int | None = None

    def holds(self, values: Mapping[str, Any]) -> bool:
        value = values[self.option]
        if self.least is not None:
            return bool(value >= self.least)
        return value in self.values if self.values else bool(value)

    def text(self) -> str:
        """Return it as written on the command line."""
        if self.least is not None:
            return f"{flag(self.option)} {self.least} or more"
        return " ".join([flag(self.option), " or ".join(self.values)]).strip()


# Options, by their parameters' names, and what they go with: any one of it.
GoesWith = tuple[tuple[tuple[str, ...], tuple[Beside, ...]], ...]


def given_options() -> list[str]:
    """Return the options given to the running command, by its parameters' names."""
    context = click.get_current_context()
    given = ParameterSource.COMMANDLINE
    return [name for name in context.params if context.get_parameter_source(name) is given]


def check_goes_with(table: GoesWith, *found: Mapping[str, Any]) -> None:
    """Check that each option given on the command line changes something.

    Parameters
    ----------
    table : GoesWith
    *found : mapping of str to object
        Values that hold, where others than those of the command line do, as a file may set them.
        Of several, such as the stages of a recipe, one that uses an option is enough.

    Raises
    ------
    click.UsageError
        Naming the first that would do nothing, and what it goes with.
    """
    context = click.get_current_context()
    given = given_options()
    values = [{**context.params, **one} for one in found or ({},)]
    for names, others in table:
        if any(other.holds(one) for one in values for other in others):
            continue
        for name in (name for name in names if name in given):
            wanted = " or ".join(other.text() for other in others)
            raise click.UsageError(f"{flag(name)} goes with {wanted}")


def flag(name: str) -> str:
    """Return the flag of one of the running command's options."""
    parameters = click.get_current_context().command.params
    return next(max(one.opts, key=len) for one in parameters if one.name == name)
