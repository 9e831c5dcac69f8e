"""The group of all commands: its own, those that packages register, and their order in --help."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import click

from negmine.cli.console import CleanGroup

# What commands are for, as --help shows them; the last heading has all others.
SECTIONS = {
    "From your data to hard negatives": ("import", "build-pool", "train", "mine", "loop"),
    "Look and listen": ("report", "review", "ask", "audit", "verdicts", "plot", "search"),
    "Evaluate and use": (
        "evaluate", "calibrate", "predict", "listen", "ensemble", "export", "export-model",
    ),
    "Pools": ("inspect", "render", "pool", "cache", "synthesise", "mine-embedded"),
    "Other commands": (),
}  # fmt: skip

ENTRY_POINTS = "negmine.commands"


class PluginGroup(CleanGroup):
    """A group that also holds the commands other packages register as entry points."""

    def _plugins(self, context: click.Context) -> dict[str, EntryPoint]:
        # kept for the run: looking for them reads what every installed package says of itself
        if ENTRY_POINTS not in context.meta:
            found = entry_points(group=ENTRY_POINTS)
            context.meta[ENTRY_POINTS] = {point.name: point for point in found}
        return dict(context.meta[ENTRY_POINTS])

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._plugins(ctx)})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what they are for, the first steps first."""
        left = dict.fromkeys(self.list_commands(ctx))
        for heading, names in SECTIONS.items():
            shown = [name for name in names or left if name in left]
            found = [(name, self.get_command(ctx, name)) for name in shown]
            rows = [(name, one.get_short_help_str(60)) for name, one in found if one]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
            for name in shown:
                del left[name]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        point = self._plugins(ctx).get(cmd_name)
        if own or point is None:
            return own
        try:
            command = point.load()
        except (ImportError, AttributeError) as error:
            reason = f"command '{cmd_name}' of plug-in '{point.value}' cannot be loaded: {error}"
            return _broken(cmd_name, reason)
        if not isinstance(command, click.Command):
            return _broken(cmd_name, f"plug-in '{point.value}' is not a click command")
        return command


def _broken(name: str, reason: str) -> click.Command:
    """Make a command that says why it is broken: the others and their help still work."""

    def fail() -> None:
        raise click.ClickException(reason)

    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(name, anything, fail, help=f"Broken: {reason}", add_help_option=False)
