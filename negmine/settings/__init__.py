"""Settings: each is declared once, as a field of a frozen model; all else is derived from it.

A model is a class of `Settings` whose fields are made by `setting`; a field that is itself a model
is a section, which is also a table of a TOML file::

    class MixSettings(Settings, frozen=True):
        \"\"\"Mixes: sums of certified clips.\"\"\"

        count: Rows = setting(0, "How many mixes.", flag="--mix")
        snr_db: Ascending[Decibels] = setting((-5.0, 10.0), "Their range.", needs=When("count"))

The flags of a command (`negmine.cli.settings`), the reading of a file (`settings_from`), the check
of values, what a pool or a checkpoint keeps (`Settings.to_dict`) and the tables of the docs
(`negmine.cli.settings_docs`) come from these fields. A section's first line of documentation is its
heading in ``--help`` and in the docs.
"""

from __future__ import annotations

from negmine.settings.effect import needs_text, no_effect
from negmine.settings.kinds import (
    Ascending,
    Confidence,
    Count,
    FileName,
    FolderName,
    Kind,
    Seed,
    Share,
)
from negmine.settings.models import (
    Model,
    Setting,
    Settings,
    When,
    first_flag,
    setting,
    settings_of,
)
from negmine.settings.reading import checked_table, read_record, settings_from, updated

__all__ = [
    "Ascending",
    "Confidence",
    "Count",
    "FileName",
    "FolderName",
    "Kind",
    "Model",
    "Seed",
    "Setting",
    "Settings",
    "Share",
    "When",
    "checked_table",
    "first_flag",
    "needs_text",
    "no_effect",
    "read_record",
    "setting",
    "settings_from",
    "settings_of",
    "updated",
]
