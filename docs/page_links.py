"""Links of the site's pages: a page that is named by its path in the repository, docs/freezing.md, becomes a link.

So the sources stay what they are in an editor. Docstrings and the command line's help are linked too. A page that is
not there is an error of the build.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

#: a page by its path; `README.md` of a folder is the page about that folder
_PATH = re.compile(r"(?<![\w/.])(?:docs/((?:[\w-]+/)*[\w-]+)|(rtl|sim|prove|hls)/README)\.md\b")
#: where a path is text, not a mention
_LITERAL = (nodes.literal, nodes.literal_block, nodes.reference, nodes.title, addnodes.pending_xref, nodes.raw)


class PageLinks(SphinxTransform):
    """Puts a reference, with the page's title, in the place of each path."""

    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        """See :class:`docutils.transforms.Transform`."""
        for text in list(self.document.findall(nodes.Text)):
            if not _PATH.search(text) or _within(text, _LITERAL):
                continue
            parts: list[nodes.Node] = []
            end = 0
            for found in _PATH.finditer(text):
                parts.append(nodes.Text(text[end : found.start()]))
                parts.append(self._reference(found[1] or f"contribute/{found[2]}", text.parent))
                end = found.end()
            parts.append(nodes.Text(text[end:]))
            text.parent.replace(text, parts)

    def _reference(self, page: str, where: nodes.Element | None) -> nodes.Node:
        reference = addnodes.pending_xref(
            "", nodes.inline(), refdomain="std", reftype="doc", refexplicit=False, refwarn=True,
            reftarget=f"/{page}", refdoc=self.env.docname,
        )  # fmt: skip
        line = where
        while line is not None and line.line is None:
            line = line.parent
        reference.source, reference.line = self.document["source"], line.line if line is not None else None
        return reference


def _within(node: nodes.Node, kinds: tuple[type[nodes.Element], ...]) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, kinds):
            return True
        parent = parent.parent
    return False


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_transform(PageLinks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
