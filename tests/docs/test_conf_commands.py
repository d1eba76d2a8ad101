"""Every call of the command line that a page shows has a command and options that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from bvit_hw.cli.group import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*/README.md"))]
#: a block of code (any words behind its fence), and code in a line of prose
_BLOCK, _INLINE = re.compile(r"^```[^\n]*\n(.*?)^```", re.M | re.S), re.compile(r"`(bvit-hw\s[^`]+)`")
_CALL = re.compile(r"^(?:\$ )?(?:bvit-hw|torchrun .* -m bvit_hw\.cli) (.*)$")


def calls(text: str) -> list[str]:
    """The words behind `bvit-hw` of each call, continued lines as one, without what is left open (``…``, ``[...]``)."""
    found = []
    for body in _BLOCK.findall(text):
        for line in re.sub(r"\\\n\s*", " ", body).splitlines():
            if match := _CALL.match(line.strip()):
                found.append(match[1])
    found += [" ".join(code.split()).removeprefix("bvit-hw ") for code in _INLINE.findall(_BLOCK.sub("", text))]
    open_ends = re.compile(r"[\[\]…]|\s[|>&].*$|(^|\s)#\s.*$")
    return [" ".join(open_ends.sub(" ", call).split()) for call in found]


def complaint(call: str) -> str:
    """What is wrong with the call, in click's words; nothing if it can be parsed."""
    words = shlex.split(call)
    while words and words[0].startswith("-"):  # of the group
        words.pop(0)
    if not words or words[0] == "COMMAND":
        return ""
    command = cli.get_command(click.Context(cli), words[0])
    if command is None:
        return f"no command {words[0]!r}"
    context = click.Context(command, info_name=words[0])
    try:
        given, _, _ = command.make_parser(context).parse_args([w for w in words[1:] if w != "..."])
        for parameter in command.params:
            value = given.get(parameter.name or "")
            # what stands for something, in capitals, is not looked at; a flag alone has a value of its own
            if isinstance(value, str) and not value.isupper() and isinstance(parameter.type, click.Choice):
                parameter.type.convert(value, parameter, context)
    except click.UsageError as error:
        # an option that is named in prose comes without its value
        return "" if "requires an argument" in str(error) else str(error)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_its_calls_can_be_parsed(page: Path) -> None:
    wrong = {call: complaint(call) for call in calls(page.read_text(encoding="utf-8"))}
    assert {call: why for call, why in wrong.items() if why} == {}


def test_calls_are_found() -> None:
    found = [call for page in PAGES for call in calls(page.read_text(encoding="utf-8"))]
    assert len(found) > 80 and {"boards", "models"} < {call.split()[0] for call in found if call}


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("build --board pynq-z2 --until generate", ""),
        ("biuld --board pynq-z2", "no command 'biuld'"),
        ("build --bord pynq-z2", "No such option '--bord'"),
        ("build --impl vhdl", "'vhdl' is not one of"),
        ("build --target-fps", ""),
        ("--debug train --epochs 3", ""),
    ],
)
def test_a_wrong_call_is_noticed(call: str, why: str) -> None:
    assert why in complaint(call) and bool(complaint(call)) == bool(why)


def test_how_calls_are_read() -> None:
    other = "```{code-block} toml\n\nb = 1\n```\n"
    block = f"{other}```\nbvit-hw run \\\n  --images DIR  # what\n$ bvit-hw boards | head\n```\n"
    text = f"{block}See `bvit-hw\nmodels` and `bvit-hw build …`."
    assert calls(text) == ["run --images DIR", "boards", "models", "build"]
