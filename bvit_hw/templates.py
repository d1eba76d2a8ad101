"""Text from Jinja templates: one set of rules for all that is generated."""

from __future__ import annotations

import jinja2


def templates(package: str, *, html: bool = False) -> jinja2.Environment:
    """The templates in the folder ``templates`` of ``package``; what is not given to one is an error.

    With ``html`` what is put in is escaped.
    """
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=html,
    )
