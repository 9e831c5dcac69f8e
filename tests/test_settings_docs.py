"""The docs show every setting as it is declared."""

from __future__ import annotations

import pytest
from test_docs_cli import COMMANDS

from negmine.cli.settings import SettingOption
from negmine.cli.settings_docs import DOCS, filled, models_in
from negmine.settings import settings_of

PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
MODELS = {name: [*models_in(page)] for name, page in PAGES.items() if "<!-- settings:" in page}


@pytest.mark.parametrize("name", MODELS)
def test_the_tables_of_a_page_are_those_of_the_models(name: str) -> None:
    assert filled(PAGES[name]) == PAGES[name], "run: python -m negmine.cli.settings_docs"


def test_every_setting_of_a_command_is_shown() -> None:
    shown = set()
    for model in (model for models in MODELS.values() for model in models):
        shown |= {(one.flag, one.help) for one in settings_of(model)}
    lacking = [
        f"{name} {option.setting.flag}"
        for name, command in COMMANDS.items()
        for option in command.params
        if isinstance(option, SettingOption)
        and (option.setting.flag, option.setting.help) not in shown
    ]
    assert lacking == []


def test_a_table_that_is_out_of_date_is_made_again() -> None:
    page = PAGES["settings.md"]
    spoilt = page.replace("| `--mix` |", "| `--mixes` |")
    assert spoilt != page
    assert filled(spoilt) == page
