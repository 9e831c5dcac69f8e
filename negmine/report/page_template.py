"""The template of a page: every value is escaped unless it is markup of the template's own."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from negmine.look import css
from negmine.report.words import auc_words, count_text, number_text


def render_page(**values: Any) -> bytes:
    """Return the page of a selection, UTF-8."""
    environment = Environment(
        loader=PackageLoader("negmine.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number_text,
        "count": count_text,
        "auc_words": auc_words,
        "shell": shlex.quote,
    }
    environment.tests["known"] = lambda value: value is not None and bool(np.isfinite(value))
    text = environment.get_template("report.html.j2").render(palette=css(), **values)
    return text.encode("utf-8", "backslashreplace")
