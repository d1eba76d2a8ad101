"""The documentation's site: `make docs` builds it, offline, with every warning an error."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bvit_hw import __version__

project = "bvit-hw"
author = "the authors of bvit-hw"
copyright = "the authors of bvit-hw, Apache-2.0"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click", "page_links"]
root_doc = "index"
source_suffix = {".md": "markdown"}
exclude_patterns = ["_static"]

# Headings can be linked to by the anchors that GitHub gives them; a link to one that is not there is an error.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_block", "deflist"]
nitpicky = True
smartquotes = False  # --until is no dash
# what signatures name, and no page of ours describes
nitpick_ignore_regex = [("py:.*", r"(?!bvit_hw\.api\b).*")]

# Signatures as they are written, members in the order of the source.
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"bvit-hw {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": []}
pygments_style = "tango"
pygments_dark_style = "github-dark"
highlight_language = "text"
