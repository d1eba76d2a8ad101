"""The Alveo flow: kernel description, movers, link settings and script fit each other and the generated Verilog.

Without Vitis: against tests/vitis_emulation.py, and each line left out or misspelled must be noticed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("tkinter", reason="no Tcl interpreter: install python3-tk")

from bvit_hw.boards import board_names, load_board
from bvit_hw.errors import ToolError
from bvit_hw.flows import vitis
from bvit_hw.flows.vivado import IpContents
from bvit_hw.ops.base import Resources
from bvit_hw.resources import data_path
from bvit_hw.vendor_releases import RELEASES
from tests.accelerator_package import TOP, write_accelerator, write_kernels
from tests.emulators.vitis_emulation import (
    Kernel,
    install,
    kernel_of_cpp,
    kernel_of_xml,
    link_faults,
    xml_faults,
)

CARDS = [name for name in board_names() if load_board(name).family == "alveo"]
SAMPLES = Path(__file__).parents[1] / "emulators" / "vendor_reports"
MOVERS = ("bvit_mm2s.cpp", "bvit_s2mm.cpp")
PLATFORM = "xilinx_u250_gen3x16_xdma_4_1_202210_1"


@pytest.fixture(scope="module")
def accelerator(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IpContents]:
    folder = tmp_path_factory.mktemp("accelerator")
    return folder, write_accelerator(folder, load_board("u250"))


#: where the tiny network is cut for cards with several dies
CUT = ("b0.y", "t1.h", "b1.y")


@pytest.fixture(scope="module")
def on_dies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of an accelerator in four kernels, for the U250."""
    board = load_board("u250")
    package = tmp_path_factory.mktemp("dies") / "package"
    vitis.write_kernels(package, board, 250.0, write_kernels(package, board, CUT))
    return package


def packaged(accelerator: tuple[Path, IpContents], target: Path, card: str) -> Path:
    folder, contents = accelerator
    shutil.copytree(folder, target, dirs_exist_ok=True)
    vitis.write_kernels(target, load_board(card), 250.0, [contents])
    return target


def kernels(package: Path) -> dict[str, Kernel]:
    found: dict[str, Kernel] = {}
    for description in (package / "kernel.xml", *sorted(package.glob("dies/*/kernel.xml"))):
        name, _, ports, _ = kernel_of_xml(description.read_text())
        found[name] = ports
    given = re.search(r"-D BVIT_INPUT_BITS=(\d+) ", (package / "build_alveo.sh").read_text())
    assert given is not None
    for mover in MOVERS:
        name, ports = kernel_of_cpp((package / "movers" / mover).read_text(), int(given[1]))
        found[name] = ports
    return found


def build(package: Path, tools: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The build script with only the emulated tools beside the system's."""
    path = f"{tools}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "build_alveo.sh"], cwd=package, env={**os.environ, "PATH": path, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("card", CARDS)
def test_everything_fits_together(accelerator: tuple[Path, IpContents], tmp_path: Path, card: str) -> None:
    package = packaged(accelerator, tmp_path, card)
    assert xml_faults((package / "kernel.xml").read_text(), package / "ip" / f"{TOP}.v") == []
    settings = load_board(card).vitis
    assert settings
    for platform in settings.platforms.values():
        assert link_faults((package / "link.cfg").read_text(), kernels(package), platform) == []
    done = subprocess.run(["bash", "-n", package / "build_alveo.sh"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_kernels_on_dies_fit_together(on_dies: Path, tmp_path: Path) -> None:
    assert xml_faults((on_dies / "kernel.xml").read_text(), on_dies / "ip" / f"{TOP}.v") == []
    names = [f"{TOP}_die{number}" for number in (1, 2, 3)]
    for name in names:
        own = on_dies / "dies" / name
        assert xml_faults((own / "kernel.xml").read_text(), own / "ip" / f"{name}.v") == []
    text, found = (on_dies / "link.cfg").read_text(), kernels(on_dies)
    assert link_faults(text, found, PLATFORM) == []
    assert all(f"slr={unit}:SLR{die}" in text for die, unit in enumerate(("accelerator", "die1", "die2", "die3")))
    for of_two in found.values():
        assert all(port.width % 8 == 0 for port in of_two.values())
    package = shutil.copytree(on_dies, tmp_path / "package")
    done = build(package, install(tmp_path / "tools"))
    assert done.returncode == 0, done.stderr
    assert (package / "bvit_hw.xclbin").is_file()
    (package / "dies" / names[1] / "ip" / f"{names[1]}.v").unlink()
    assert build(package, install(tmp_path / "tools")).returncode != 0


@pytest.mark.parametrize("release", RELEASES)
def test_the_script_builds(accelerator: tuple[Path, IpContents], tmp_path: Path, release: str) -> None:
    package = packaged(accelerator, tmp_path / "package", "u250")
    done = build(package, install(tmp_path / "tools"), EMULATED_RELEASE=release)
    assert done.returncode == 0, done.stderr
    assert (package / "bvit_hw.xclbin").is_file()
    assert "250 MHz" in done.stdout
    found = vitis.read_implementation(package)
    assert (found["clock_mhz"], found["lut"], found["bram18"]) == (250.0, 126_011, 196)


@pytest.mark.parametrize(
    "environment, message",
    [
        ({"EMULATED_CLOCK_MHZ": "249"}, "timing not met at 250 MHz: v++ lowered the clock to 249 MHz"),
        ({"EMULATED_CLOCK_MHZ": "none"}, "clock not known"),
        ({"EMULATED_RELEASE": "2023.1"}, "written for Vitis 2022.2 and 2024.2; this is v2023.1"),
    ],
)
def test_the_script_hands_out_nothing_wrong(
    accelerator: tuple[Path, IpContents], tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    package = packaged(accelerator, tmp_path / "package", "u250")
    (package / "bvit_hw.xclbin").write_text("of yesterday")
    done = build(package, install(tmp_path / "tools"), **environment)
    assert done.returncode == 1
    assert message in done.stderr
    assert ("lowered" not in message and "known" not in message) or not (package / "bvit_hw.xclbin").exists()


@pytest.mark.parametrize("missing", ["vivado", "v++", "xclbinutil"])
def test_a_missing_tool_is_named(accelerator: tuple[Path, IpContents], tmp_path: Path, missing: str) -> None:
    package = packaged(accelerator, tmp_path / "package", "u50")
    tools = install(tmp_path / "tools", [t for t in ("vivado", "v++", "xclbinutil") if t != missing])
    for program in ("bash", "dirname", "grep", "head", "rm", "awk", "mv", "env"):
        (tools / program).symlink_to(shutil.which(program) or program)
    done = subprocess.run(
        [str(tools / "bash"), "build_alveo.sh"], cwd=package, env={"PATH": str(tools)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"not built: {missing} not found" in done.stderr


@pytest.mark.parametrize(
    "file",
    [
        "kernel.xml",
        "movers/bvit_mm2s.cpp",
        pytest.param("package_xo.tcl", marks=pytest.mark.slow),
        pytest.param("ip/package_ip.tcl", marks=pytest.mark.slow),
        pytest.param("ip/mem", marks=pytest.mark.slow),
    ],
)
def test_a_missing_file_ends_the_build(accelerator: tuple[Path, IpContents], tmp_path: Path, file: str) -> None:
    package = packaged(accelerator, tmp_path / "package", "u250")
    if file == "ip/mem":
        shutil.rmtree(package / file)
    else:
        (package / file).unlink()
    assert build(package, install(tmp_path / "tools")).returncode != 0
    assert not (package / "bvit_hw.xclbin").exists()


def without_a_line(text: str, keep: str) -> Iterator[tuple[str, str]]:
    """Every text that lacks one line (but those that match ``keep``), and what was left out."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if line.strip() and not re.search(keep, line):
            yield line, "\n".join([*lines[:index], *lines[index + 1 :]])


@pytest.mark.parametrize("several", [False, True], ids=["one kernel", "four kernels"])
def test_every_line_of_the_link_settings_matters(
    accelerator: tuple[Path, IpContents], on_dies: Path, tmp_path: Path, several: bool
) -> None:
    package = on_dies if several else packaged(accelerator, tmp_path, "u250")
    text, found, platform = (package / "link.cfg").read_text(), kernels(package), PLATFORM
    assert link_faults(text, found, platform) == []
    survived, tried = [], 0
    mutated = list(without_a_line(text, r"^#|^prop=" if several else r"^#|^slr=|^prop="))
    for match in re.finditer(r"(?<=[=:.])[\w\[\]]+", text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : text.find("\n", match.start())]
        if not line.startswith(("#", "prop=")):
            mutated.append((f"{match[0]} in {line}", text[: match.start()] + "x" + text[match.start() :]))
    for line in text.splitlines():
        if line.startswith(("nk=", "stream_connect=", "sp=")):
            mutated.append((f"twice {line}", text.replace(line, f"{line}\n{line}")))
    # names that are there, but the wrong ones
    for old, new in (
        ("mm2s.pixels:accelerator.s_axis", "mm2s.pixels:s2mm.logits"),
        ("accelerator.m_axis:s2mm.logits", "s2mm.logits:accelerator.m_axis"),
        ("DDR[0]", "DDR[4]"),
        ("DDR[0]", "HBM[0]"),
        ("SLR0", "SLR7"),
        ("s2mm.results", "s2mm.logits"),
    ):
        assert old in text
        mutated.append((f"{new} for {old}", text.replace(old, new)))
    if several:
        for a, b in (("die1:SLR1", "die1:SLR3"), ("die1.s_prev", "die2.s_prev"), ("die2.m_back", "die2.m_next")):
            assert a in text
            mutated.append((f"{b} for {a}", text.replace(a, b)))
    for what, changed in mutated:
        tried += 1
        if not link_faults(changed, found, platform):
            survived.append(what)
    assert tried > 40
    assert survived == []


def test_every_part_of_the_kernel_description_matters(accelerator: tuple[Path, IpContents], tmp_path: Path) -> None:
    package = packaged(accelerator, tmp_path, "u250")
    text, top = (package / "kernel.xml").read_text(), package / "ip" / f"{TOP}.v"
    mutated = list(without_a_line(text, r"^<\?xml|<!--|-->"))
    for match in re.finditer(r'(\w+)="([^"]+)"', text):
        if match[1] not in ("encoding", "versionMajor", "versionMinor", "preferredWorkGroupSizeMultiple",
                            "workGroupSize", "interrupt", "size", "memSize", "offset", "hostOffset", "hostSize",
                            "base") and "xml version" not in match[0]:  # fmt: skip
            mutated.append((match[0], text[: match.start(2)] + "9" + text[match.start(2) :]))
    survived = [what for what, changed in mutated if "version=" not in what and not xml_faults(changed, top)]
    assert len(mutated) > 30
    assert survived == []


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("bvit_mm2s.cpp", "pixel_beat_t>& pixels", "logit_beat_t>& pixels"),
        ("bvit_s2mm.cpp", "logit_beat_t>& logits", "pixel_beat_t>& logits"),
        ("bvit_mm2s.cpp", "& pixels,", "& pixel,"),
        ("bvit_s2mm.cpp", "logit_t* results", "logit_t* result"),
        ("bvit_mm2s.cpp", "void bvit_mm2s", "void bvit_mm2"),
        ("bvit_mm2s.cpp", "m_axi port=images", "m_axi port=image"),
        ("bvit_s2mm.cpp", "axis port=logits", "axis port=results"),
        ("bvit_s2mm.cpp", "s_axilite port=classes bundle=control", "s_axilite port=frames bundle=control"),
        ("bvit_mm2s.cpp", "pixels.write(beat)", "pixels.read()"),
    ],
)
def test_movers_that_do_not_fit_are_found(
    accelerator: tuple[Path, IpContents], tmp_path: Path, file: str, old: str, new: str
) -> None:
    package = packaged(accelerator, tmp_path, "u250")
    source = package / "movers" / file
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new))
    try:
        found = kernels(package)
    except ValueError:
        return
    assert link_faults((package / "link.cfg").read_text(), found, PLATFORM)


def test_boards_and_clocks_that_v_plus_plus_cannot_take(accelerator: tuple[Path, IpContents], tmp_path: Path) -> None:
    _, contents = accelerator
    with pytest.raises(ToolError, match="no kernel for family 'zynq-7000' of pynq-z2"):
        vitis.write_kernels(tmp_path, load_board("pynq-z2"), 100.0, [contents])
    with pytest.raises(ToolError, match=r"u50 at 187\.5 MHz: v\+\+ takes whole MHz only"):
        vitis.write_kernels(tmp_path, load_board("u50"), 187.5, [contents])


def test_reports_are_read_back(tmp_path: Path) -> None:
    assert vitis.read_clock(SAMPLES / "xclbin_info.txt") == 250.0
    used = Resources(lut=126_011, ff=121_009, bram18=196, uram=0, dsp=5)
    assert vitis.read_kernel_utilization(SAMPLES / "kernel_util.rpt") == used
    with pytest.raises(ToolError, match="does not say the frequency of DATA_CLK"):
        vitis.read_clock(SAMPLES / "power.rpt")
    with pytest.raises(ToolError, match="no table of used resources"):
        vitis.read_kernel_utilization(SAMPLES / "power.rpt")
    with pytest.raises(ToolError, match="0 kernel utilization reports"):
        vitis.read_implementation(tmp_path)


# The movers themselves, compiled by g++

_HARNESS = r"""
#include <cstdio>
#include "bvit_mm2s.cpp"
#include "bvit_s2mm.cpp"

// Images of consecutive words through mm2s: every beat is printed; then words through s2mm, printed as memory has them.
int main() {
  for (unsigned int frames = 0; frames < 4; ++frames) {
    bvit::pixels_t images[3 * 5 + 1];
    for (unsigned int i = 0; i < 16; ++i)
      images[i] = bvit::pixels_t(i) << (bvit::kInputBits - 8) | bvit::pixels_t(i + 7);
    hls::stream<bvit::pixel_beat_t> pixels;
    bvit_mm2s(images, pixels, frames, 5);
    while (!pixels.empty()) {
      const bvit::pixel_beat_t beat = pixels.read();
      std::printf("p %s %u %d\n", beat.data.to_string(16).c_str(), (unsigned int)beat.keep, (int)beat.last);
    }
    hls::stream<bvit::logit_beat_t> logits;
    for (unsigned int i = 0; i < 3 * frames + 1; ++i) {
      bvit::logit_beat_t beat;
      beat.data = i % 2 ? 0xffffff00u + i : i;
      beat.last = i % 3 == 2;
      logits.write(beat);
    }
    bvit::logit_t results[10];
    for (unsigned int i = 0; i < 10; ++i) results[i] = 0xdead;
    bvit_s2mm(logits, results, frames, 3);
    for (unsigned int i = 0; i < 10; ++i) std::printf("l %d\n", (int)results[i].to_uint());
    std::printf("left %u\n", (unsigned int)logits.size());
    while (!logits.empty()) logits.read();
  }
}
"""


def movers_output(folder: Path, bits: int, changes: tuple[tuple[str, str, str], ...] = ()) -> str:
    """What the harness prints with the movers of ``hls/movers``, changed by (file, old, new)."""
    from bvit_hw.flows.gxx import GCC_FLAGS, ap_types

    folder.mkdir(parents=True, exist_ok=True)
    for name in vitis.MOVERS:
        text = (data_path("hls") / "movers" / name).read_text()
        for file, old, new in changes:
            if file == name:
                assert old in text
                text = text.replace(old, new)
        (folder / name).write_text(text)
    (folder / "harness.cpp").write_text(_HARNESS)
    flags = ["-std=c++14", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", *GCC_FLAGS]
    stand_in = Path(__file__).parents[1] / "emulators" / "hls_stand_in"
    includes = ["-isystem", str(ap_types()), "-isystem", str(stand_in), "-I", "."]
    command = ["g++", *flags, f"-DBVIT_INPUT_BITS={bits}", *includes, "harness.cpp", "-o", "harness"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return subprocess.run(["./harness"], cwd=folder, check=True, capture_output=True, text=True).stdout


def wanted_output(bits: int) -> str:
    lines = []
    for frames in range(4):
        for i in range(5 * frames):
            word = (i << (bits - 8) | (i + 7)) & ((1 << bits) - 1)
            lines.append(f"p {word:#x} {(1 << bits // 8) - 1} {int(i % 5 == 4)}")
        words = [i - 256 if i % 2 else i for i in range(3 * frames)]
        lines += [f"l {word}" for word in [*words, *[0xDEAD] * (10 - len(words))]]
        lines.append("left 1")
    return "".join(f"{line}\n" for line in lines)


def same(found: str, wanted: str) -> bool:
    """Equal, however the hexadecimal words are written."""

    def plain(text: str) -> list[str]:
        return [re.sub(r"^p (?:0x)?0*(\w)", r"p \1", line.lower()) for line in text.splitlines()]

    return plain(found) == plain(wanted)


@pytest.mark.parametrize(
    "bits", [64, pytest.param(8, marks=pytest.mark.slow), pytest.param(32, marks=pytest.mark.slow)]
)
def test_the_movers_move(tmp_path: Path, bits: int) -> None:
    assert same(movers_output(tmp_path, bits), wanted_output(bits))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        ("bvit_mm2s.cpp", "beats - 1", "beats"),
        ("bvit_mm2s.cpp", "last ? 0 : in_frame + 1", "in_frame + 1"),
        ("bvit_mm2s.cpp", "beat.keep = -1", "beat.keep = 1"),
        ("bvit_mm2s.cpp", "images[i]", "images[i + 1]"),
        ("bvit_s2mm.cpp", "i < total", "i <= total"),
        ("bvit_s2mm.cpp", "results[i]", "results[i / 2]"),
    ],
)
def test_wrong_movers_are_noticed(tmp_path: Path, change: tuple[str, str, str]) -> None:
    assert not same(movers_output(tmp_path, 64, (change,)), wanted_output(64))
