"""report.html in a browser: nothing is cut off, whatever the window's width and however long the names are.

Needs Chromium (Debian: apt install chromium); is skipped without.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bvit_hw.report.model import Report
from bvit_hw.report.page import write_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_NASTY = "<b>&amp; " + "päth/to-" * 24 + "\u7db2\u7d61" * 30
#: what sticks out of the window, but for what lies in a box that scrolls by itself
_MEASURE = """
<script>
const out = [];
for (const e of document.querySelectorAll("body *")) {
  if (e.closest(".scroll") && !e.matches(".scroll")) continue;
  const r = e.getBoundingClientRect();
  if (r.width && (r.right > innerWidth + 0.5 || r.left < -0.5)) out.push(e.tagName + "." + e.className);
  if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "auto" && e.clientWidth)
    out.push("inside " + e.tagName + "." + e.className);
}
parent.document.body.dataset.found = JSON.stringify([innerWidth, document.documentElement.scrollWidth, out.slice(0, 5)]
);
</script>
"""


def sticking_out(page: Path, width: int, folder: Path) -> tuple[int, int, str]:
    """Width of the window, of the document, and the first elements that stick out of it."""
    measured = folder / f"{page.stem}-{width}.html"
    text = page.read_text(encoding="utf-8").replace("</body>", f"{_MEASURE}</body>")
    # A window is at least 500 pixels wide; a frame in it is as narrow as one likes.
    measured.write_text(
        f'<!doctype html><meta charset="utf-8"><body><iframe width="{width}" height="900" style="border:0" '
        f'srcdoc="{html.escape(text)}"></iframe></body>',
        encoding="utf-8",
    )
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'profile'}",
            "--window-size=2600,1000", "--dump-dom", measured.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = re.search(r'data-found="\[(\d+),(\d+),\[(.*?)\]\]"', done.stdout)
    assert found is not None, done.stdout[-300:] + done.stderr[-300:]
    return int(found[1]), int(found[2]), found[3]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("names", ["own", "nasty"])
def test_nothing_is_cut_off(built: Path, tmp_path: Path, names: str) -> None:
    report = Report.read(built / "report.json")
    if names == "nasty":
        accuracy = report.accuracy.model_copy(update={"data": _NASTY, "notes": [_NASTY]})
        bitstream = report.bitstream.model_copy(update={"command": "cd " + "x" * 300})
        report = report.model_copy(
            update={"model": _NASTY, "board_title": _NASTY, "accuracy": accuracy, "bitstream": bitstream}
        )
    page = tmp_path / "report.html"
    write_page(report, page)
    assert "<b>&amp;" not in page.read_text(encoding="utf-8")
    for width in (360, 768, 1100, 2560):
        window, document, found = sticking_out(page, width, tmp_path)
        assert window == width and document <= width and found == "", (width, document, found)
