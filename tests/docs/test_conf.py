"""The site: it builds without a warning and offline; every link and anchor in it leads somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def sphinx(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` runs."""
    argv = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going", "-b", "html", "-d", f"{out}-cache"]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:1")
    environment = {**os.environ, **nowhere, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*argv, str(source), str(out)], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "html"
    done = sphinx(DOCS, out)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return out


class _Page(HTMLParser):
    """What a page refers to, what can be referred to in it, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(given["href"])
        elif tag in ("script", "img", "source", "iframe", "object") and ("src" in given or "data" in given):
            self.loaded.append(given.get("src") or given.get("data", ""))


@cache
def read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def dead(site: Path) -> list[str]:
    """Links to files or anchors that are not there, and whatever would be loaded from elsewhere."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page, where = read(path), path.relative_to(site)
        for target in page.links + page.loaded:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loaded and parts.scheme != "data":
                    found.append(f"{where} loads {target}")
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not file.is_file():
                found.append(f"{where}: no file {target}")
            elif parts.fragment and file.suffix == ".html" and unquote(parts.fragment) not in read(file).anchors:
                found.append(f"{where}: no anchor {target}")
    return found


def test_every_link_leads_somewhere(site: Path) -> None:
    pages = [p.relative_to(site).with_suffix("").as_posix() for p in site.rglob("*.html")]
    sources = [p.relative_to(DOCS).with_suffix("").as_posix() for p in DOCS.rglob("*.md")]
    assert set(sources) <= set(pages) and len(sources) > 30
    assert dead(site) == []


def test_a_path_is_a_link_with_the_pages_title(site: Path) -> None:
    """In a page, in the help of a command, in a table; a path in code stays what it is."""
    page = (site / "lowering.html").read_text()
    assert re.search(r'href="qonnx.html"><span class="doc">The QONNX file</span>', page)
    assert "../training.html" in read(site / "reference" / "commands.html").links
    assert "docs/qonnx.md" not in re.sub(r"<code.*?</code>", "", page, flags=re.S)


def test_every_command_has_its_reference(site: Path) -> None:
    from bvit_hw.cli.group import cli

    page = read(site / "reference" / "commands.html")
    for name in cli.list_commands(None):  # type: ignore[arg-type]
        assert f"bvit-hw-{name}" in page.anchors
    assert "cmdoption-bvit-hw-build-target-fps" in page.anchors


#: a page's fault, and what the build says of it
FAULTS = {
    "See docs/nowhere.md.": "unknown document: '/nowhere'",
    "See [it](elsewhere.md).": "elsewhere.md",
    "See [it](index.md#gone).": "local id not found in doc 'index': 'gone'",
    "See [it](#away).": "target not found: 'away'",
    "```{toctree}\nmissing\n```": "missing",
    "### Too deep": "Non-consecutive header",
    "```{image} lost.svg\n```": "lost.svg",
}


def test_faults_end_the_build(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    for name in ("conf.py", "page_links.py"):
        shutil.copy(DOCS / name, source)
    (source / "_static").mkdir()
    names = [f"fault{n}" for n in range(len(FAULTS))]
    (source / "index.md").write_text("\n".join(["# Title", "```{toctree}", *names, "```", ""]))
    for name, text in zip(names, FAULTS, strict=True):
        (source / f"{name}.md").write_text(f"# Title\n\n{text}\n")
    done = sphinx(source, tmp_path / "html")
    assert done.returncode
    for name, complaint in zip(names, FAULTS.values(), strict=True):
        assert re.search(rf"{name}\.md.*{re.escape(complaint)}", done.stderr), (complaint, done.stderr)


def test_a_dead_anchor_in_the_pages_is_found(tmp_path: Path) -> None:
    body = '<p id="here"><a href="#here"></a><a href="b.html#gone"></a><img src="https://x/y.png">'
    (tmp_path / "a.html").write_text(body)
    (tmp_path / "b.html").write_text("<p>")
    assert dead(tmp_path) == ["a.html: no anchor b.html#gone", "a.html loads https://x/y.png"]
