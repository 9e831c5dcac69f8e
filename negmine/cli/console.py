"""What every command shares: options, errors as one line, progress bars. Imports nothing heavy."""

from __future__ import annotations

import json
import logging
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from negmine.cli.stopping import stop_code, stopping_alike
from negmine.errors import NegmineError, one_line, visible
from negmine.extras import what_is_missing
from negmine.notices import LOGGER, warn
from negmine.progress import Advance

if TYPE_CHECKING:
    from negmine.annotations.recordings import Recordings
    from negmine.audio.folder import SoundFolder

Command = TypeVar("Command", bound=Callable[..., Any])


class _Printed(logging.Handler):
    """Prints warnings on standard error, a line each, quiet or not."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"warning: {one_line(record.getMessage())}", err=True)


LOGGER.addHandler(_Printed())
LOGGER.propagate = False


class Failure(click.ClickException):
    """An error of negmine's, as click shows it: one line, and its exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(one_line(message))
        self.__dict__["exit_code"] = exit_code  # click declares it for the class


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors that a user can mend into one line and an exit code."""
    try:
        with stopping_alike():
            yield
    except NegmineError as error:
        raise Failure(str(error), error.exit_code) from error
    except click.ClickException as error:
        error.__dict__["message"] = one_line(error.message)  # final, for click
        raise
    except MemoryError as error:
        raise Failure(f"out of memory; use {_less()}", 1) from error
    except KeyboardInterrupt as error:
        raise Failure("stopped; the same command resumes from here", stop_code()) from error
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None and error.strerror:
            # a path that no file system takes, or that is forbidden, met where it is not expected
            raise Failure(f"{error.filename}: {error.strerror}", 1) from error
        if not _while_importing(error):
            raise
        if missing := what_is_missing(error):
            raise Failure(missing, 1) from error
        reason = f"{type(error).__name__}: {error}"
        raise Failure(
            f"a library does not load ({reason}); 'negmine doctor' says what to do", 1
        ) from error


def _while_importing(error: Exception) -> bool:
    """Return whether an import raised it: the installation is broken, whatever the type."""
    frames = traceback.walk_tb(error.__traceback__)
    return isinstance(error, ImportError) or any(
        frame.f_code.co_name == "<module>" for frame, _ in frames
    )


class CleanGroup(click.Group):
    """A group whose commands end in one line where something is wrong."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.command_class = CleanCommand

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            return super().invoke(ctx)


def _less() -> str:
    """Return what of the running command takes less memory."""
    ctx = click.get_current_context(silent=True)
    flags = {flag for one in ctx.command.params for flag in one.opts} if ctx else set()
    smaller = [flag for flag in ("--batch-size", "--tp-per-step") if flag in flags]
    return f"a smaller {smaller[0]} or shorter clips" if smaller else "shorter clips"


class CleanCommand(click.Command):
    """A command that ends in one line where something is wrong, and takes finite numbers alone."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            _check_finite(ctx)
            _warn_no_effect(ctx)
            return super().invoke(ctx)

    # Of the groups of options, in the order that --help shows them; others come behind.
    headings: tuple[str, ...] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those of a group below its heading."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        known = {getattr(parameter, "group", None) for parameter in self.get_params(ctx)}
        sections |= {heading: [] for heading in self.headings if heading in known}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                heading = getattr(parameter, "group", None) or "Options"
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


class GroupedOption(click.Option):
    """An option with a place of its own in ``--help``, or that acts beside others alone.

    Parameters
    ----------
    group : str, optional
        The heading that ``--help`` shows it below.
    needs : sequence of str
        Flags, any one of which gives it an effect; given without, it is warned of.
    """

    def __init__(
        self, *arguments: Any, group: str | None = None, needs: Sequence[str] = (), **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.group, self.needs = group, needs


def given(name: str) -> bool:
    """Return whether an option of the running command is given, by its parameter's name."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def _warn_no_effect(context: click.Context) -> None:
    values = {
        flag: context.params.get(one.name or "")
        for one in context.command.params
        for flag in one.opts
    }
    for one in context.command.params:
        needs = one.needs if isinstance(one, GroupedOption) else ()
        if needs and given(one.name or "") and not any(values[flag] for flag in needs):
            warn(f"{max(one.opts, key=len)} has no effect without {' or '.join(needs)}")


def _check_finite(context: click.Context) -> None:
    # click's ranges let nan pass, which is in no range, and inf
    for name, value in context.params.items():
        if context.get_parameter_source(name) is ParameterSource.DEFAULT:
            continue
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                flags = [one.opts[0] for one in context.command.params if one.name == name]
                raise click.BadParameter(
                    f"{number} is not a finite number", context, param_hint=flags
                )


def quiet_and_json(command: Command) -> Command:
    """Add ``--quiet`` and ``--json``."""
    command = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(
        command
    )
    return click.option("-q", "--quiet", is_flag=True, help="No progress bars, no summary.")(
        command
    )


def as_one(kind: type[Any], name: str) -> Callable[[Command], Command]:
    """Return a decorator: options that a dataclass has as fields reach the command as one."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**options: Any) -> Any:
            own = {one.name: options.pop(one.name) for one in fields(kind)}
            return command(**{name: kind(**own)}, **options)

        return cast(Command, run)

    return decorate


class Bars:
    """Progress bars that follow one another: a new title closes the last bar."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None

    def __call__(self, what: str, total: int, unit: str = "file", /) -> Advance:
        from tqdm import tqdm

        self.close()
        self._bar = tqdm(
            total=total,
            desc=what,
            unit=unit,
            disable=self._quiet,
            dynamic_ncols=True,
            # in a log file a line now and then is enough
            mininterval=0.1 if sys.stderr.isatty() else 10.0,
        )
        bar = self._bar

        def advance(count: float = 1, /, **shown: object) -> None:
            if shown:
                bar.set_postfix(shown, refresh=False)
            bar.update(count)

        return advance

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def say(text: str, quiet: bool) -> None:
    """Print a line of a summary."""
    if not quiet:
        click.echo(visible(text, lines=True))


def note(text: str, quiet: bool) -> None:
    """Print what a command does on standard error, beside its results."""
    if not quiet:
        click.echo(one_line(text), err=True)


def say_opened(opened: Recordings, quiet: bool, as_what: str = "used") -> None:
    """Report what was found in folders of recordings; quiet or not where something is left out."""
    for line, left_out in opened.summaries(as_what):
        warn(line) if left_out else note(line, quiet)


def say_found(
    folder: SoundFolder | None, quiet: bool, used: int | None = None, as_what: str = "used"
) -> None:
    """Tell what was found in a folder; quiet or not where something was left out."""
    if folder is not None:
        line = folder.summary(used, as_what)
        warn(line) if folder.left_out else note(line, quiet)


def print_json(value: Mapping[str, Any]) -> None:
    """Print a result for scripts; NaN and infinity become null."""
    from negmine.storage.files import finite

    # in JSON, too, \\u001b stands for the character
    click.echo(visible(json.dumps(finite(value), indent=2, ensure_ascii=False), lines=True))
