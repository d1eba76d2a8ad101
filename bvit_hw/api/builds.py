"""Builds: a folder with an accelerator for a board, what it reports, and running it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bvit_hw.api.pictures import checked_images
from bvit_hw.api.words import Say, log_it, progress_of, require
from bvit_hw.boards import load_board
from bvit_hw.errors import ConfigError, DeviceFailure, OutputError
from bvit_hw.threads import usable_cores

if TYPE_CHECKING:
    import numpy as np

    from bvit_hw.contract import FrozenGraph
    from bvit_hw.pipeline.engine import StepOutcome
    from bvit_hw.report.model import Report
    from bvit_hw.runtime.command import Run
    from bvit_hw.runtime.pictures import Pictures

#: the folder of a build where none is named
DEFAULT_FOLDER = Path("build") / "pynq-z2"


@dataclass(frozen=True)
class Build:
    """A build's folder; made by :func:`build` or :func:`open_build`.

    ``outcomes`` are what became of each step in this call: ``name``, ``status`` ("done", "cached", "not run",
    "left out"), ``seconds`` and ``note``; empty for a folder that was opened. ``archive`` is the .zip for the board,
    None where the build ended before the package.
    """

    folder: Path
    outcomes: tuple[StepOutcome, ...] = ()
    archive: Path | None = None

    @cached_property
    def report(self) -> Report | None:
        """Everything that report.json holds; None where the build ended before the step `generate`.

        Raises OutputError for one that is damaged or of another version.
        """
        path = self.folder / "report.json"
        if not path.is_file():
            return None
        from bvit_hw.report.model import Report

        try:
            return Report.read(path)
        except (OSError, ValueError) as error:
            raise OutputError(f"{path}: cannot be read: {error}; run bvit-hw build again") from error

    def as_json(self) -> dict[str, Any]:
        """What `bvit-hw build --json` prints: folder, steps, archive, and all that report.json holds (null: none)."""
        path = self.folder / "report.json"
        return {
            "folder": str(self.folder),
            "steps": [outcome.as_json() for outcome in self.outcomes],
            "archive": None if self.archive is None else str(self.archive),
            "report": json.loads(path.read_text()) if self.report is not None else None,
        }

    @property
    def page(self) -> Path:
        """report.html, which shows the report in a browser."""
        return self.folder / "report.html"

    @property
    def frozen_file(self) -> Path:
        """The file of the network in integers that the accelerator computes."""
        return self.folder / "freeze" / "frozen.safetensors"

    @cached_property
    def frozen(self) -> FrozenGraph:
        """The network in integers that the accelerator computes; CheckpointError where there is none."""
        from bvit_hw.contract.file import load_frozen

        return load_frozen(self.frozen_file)

    def images(self, pictures: str | Path | None = None, *, count: int | None = None) -> np.ndarray:
        """``count`` images (None: all) as the network takes them: uint8, N x H x W x C.

        ``pictures`` are a folder of pictures, a picture or an .npz with ``images``; by default those with which the
        build proved the depths of its FIFOs, of an engine the test images of its package. Raises DatasetError where
        they cannot be read, ConfigError where there are none or they do not fit.
        """
        import numpy as np

        from bvit_hw.pipeline.artefacts import PROVEN_RUN

        if pictures is not None:
            return checked_images(pictures, self.frozen, self.frozen_file)[:count]
        own = self.folder / "generate" / PROVEN_RUN
        if not own.is_file():
            own = self.folder / "package" / "test_images.npz"
        if not own.is_file():
            raise ConfigError(f"{self.folder}: has no images of its own (generate/{PROVEN_RUN}); name some")
        with np.load(own) as found:
            images: np.ndarray = found["images"]
        return images[:count]


def open_build(folder: str | Path = DEFAULT_FOLDER) -> Build:
    """The build in ``folder``; OutputError where there is none."""
    path = Path(folder)
    if not (path / "manifest.json").is_file():
        raise OutputError(f"{path}: holds no build (no manifest.json); run bvit-hw build first")
    archives = sorted(path.glob("bvit_hw-*.zip"))
    return Build(path, archive=archives[0] if archives else None)


def as_build(given: Build | str | Path) -> Build:
    """The build, of which the folder may be given."""
    return given if isinstance(given, Build) else open_build(_folder(given))


def _folder(given: Build | str | Path) -> Path:
    require(given, (Build, str, Path), "a build is what api.build and api.open_build give, or its folder")
    return given.folder if isinstance(given, Build) else Path(given)


def build(
    *,
    board: str,
    preset: str | None = None,
    network: str | Path | None = None,
    random_weights: bool = False,
    checkpoint: str | Path | None = None,
    data: str | None = None,
    convert_colours: bool = False,
    target_fps: float | None = None,
    impl: str = "auto",
    impl_of: Sequence[str] = (),
    architecture: str = "auto",
    clock_mhz: float | None = None,
    out: str | Path | None = None,
    images: int = 32,
    calibrate: str | None = None,
    jobs: int | None = None,
    simulated_device: bool | None = None,
    try_fifos: int = 0,
    until: str | None = None,
    skip: Sequence[str] = (),
    overwrite: bool = False,
    show_progress: bool = False,
    say: Say = log_it,
) -> Build:
    """Build an accelerator: freeze, export, lower, fold, generate, simulate, synthesize, timing, package,
    bitstream.

    ``board`` is a name of `bvit-hw boards` or a .toml file. The network is that of ``preset``, ``network`` or
    ``checkpoint``, as in :func:`bvit_hw.api.load`. ``data`` is what accuracy is measured on, and ``images`` of it go
    through the RTL. The folding is the fastest that fits, or with ``target_fps`` the smallest at that rate.
    ``impl`` and ``impl_of`` ("OPERATOR=hls") choose operators in RTL or HLS, ``architecture`` is "streaming", "engine"
    or "auto". ``simulated_device`` compiles one for notebooks (None: unless it is very large), ``try_fifos`` tries the
    depths of so many FIFOs. ``jobs`` are processes at once (None: one a core, at most 4).

    ``out`` (default build/BOARD) keeps each step; those that are up to date are not run again. ``until`` ends after a
    step, ``skip`` leaves out steps that no other needs. Raises a BvitError whose class says what is wrong: ConfigError,
    BoardError, CheckpointError, DatasetError, FreezeError, FoldingError, LoweringError, OutputError (another build's
    folder, without ``overwrite``), ToolError (a tool is missing or failed).
    """
    # Before PyTorch is imported: a mistyped board is told at once.
    board_name = load_board(board).name
    from bvit_hw.flows.plain import vendor_base
    from bvit_hw.flows.vitis import vpp_path
    from bvit_hw.flows.vivado import vivado_path
    from bvit_hw.pipeline.board_package import write_release
    from bvit_hw.pipeline.engine import BuildFolder, StepOutcome, output_errors
    from bvit_hw.pipeline.options import resolve
    from bvit_hw.pipeline.plan import identity, identity_files, make_steps
    from bvit_hw.pipeline.report import make_report
    from bvit_hw.pipeline.selection import REPORTED_FROM, select
    from bvit_hw.report.page import write_page

    options = resolve(
        board=board,
        preset_name=preset,
        network=None if network is None else Path(network),
        random_weights=random_weights,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        data=data,
        convert_colours=convert_colours,
        clock_mhz=clock_mhz,
        target_fps=target_fps,
        simulated_images=images,
        calibrate=calibrate,
        simulated_device=simulated_device,
        tried_fifos=try_fifos,
        impl=impl,
        impl_of=tuple(impl_of),
        architecture=architecture,
        jobs=jobs or min(usable_cores(), 4),
    )
    if architecture == "auto" and options.architecture == "engine":
        say(f"architecture: engine: {options.architecture_note}")
    chosen = select(make_steps(options), until, tuple(skip))
    left_out = [StepOutcome(name, "left out", 0.0, option) for name, option in chosen.left_out]
    path = (Path("build") / board_name if out is None else Path(out)).absolute()
    if vivado_path() or vpp_path():
        vendor_base(path / "bitstream")  # a path that these cannot use is told before the first step
    with BuildFolder(path, identity(options), files=identity_files(options), overwrite=overwrite) as folder:
        outcomes = folder.run(chosen.steps, progress_of(show_progress))
        ran = {outcome.name for outcome in outcomes if outcome.status in ("done", "cached")}
        archive = None
        with output_errors(path, "report"):
            if REPORTED_FROM in ran:
                results = {name: found for name, found in folder.results.items() if name in ran}
                report = make_report(path, options, [*outcomes, *left_out], results)
                report.write(path / "report.json")
                write_page(report, path / "report.html")
            elif any(outcome.status == "done" for outcome in outcomes):
                # Of another run of these steps: no longer true.
                for name in ("report.json", "report.html"):
                    (path / name).unlink(missing_ok=True)
            if "package" in ran:
                archive = write_release(path, board_name)
    return Build(path, (*outcomes, *left_out), archive)


def run(
    build: Build | str | Path,
    images: np.ndarray | str | Path,
    *,
    device: str = "sim",
    batch: int | None = None,
    programme: str | Path | None = None,
) -> Run:
    """Classify pictures on the accelerator of ``build``, through the driver that goes to the board.

    ``images`` is an array (N x H x W x C, bytes or reals in 0..1), a folder of pictures (or of classes' folders), a
    picture, or an .npz with images (and labels); other sizes than the network's are resized. ``device`` is "sim" (the
    Verilated accelerator, in this process) or "board" (the FPGA of the board that this runs on). ``batch`` are images a
    transfer (None: as many as fit 1 MiB); ``programme`` is another network for a single engine. The result has
    ``logits`` (int32, N x classes), ``class_names``, ``cycles``, ``latency_cycles``, ``clock_mhz``. Raises
    DeviceFailure where the build has no such device, or with the driver's own words; ConfigError for an array of
    another shape.
    """
    from bvit_hw.runtime import command, devices
    from bvit_hw.runtime.errors import DeviceError

    folder = _folder(build)
    package = folder / "package"
    if not (package / "model.json").is_file():
        raise DeviceFailure(f"{folder}: holds no finished build (no package/model.json); run bvit-hw build first")
    if device == "sim" and not (package / "sim").is_dir():
        raise DeviceFailure(f"{package}: built without a simulated device; add --simulated-device to bvit-hw build")
    bitstream = None
    if device == "board":
        # Vivado's results may lie in the step's own folder, or in the package where Vivado was run by hand.
        built = [f / n for f in (folder / "bitstream", package) for n in (devices.BITSTREAM, devices.XCLBIN)]
        bitstream = next((file for file in built if file.is_file()), None)
    pictures = images if isinstance(images, str | Path) else _named(images)
    try:
        return command.run_command(package, device, pictures, batch, bitstream, programme)
    except (DeviceError, ValueError) as error:
        raise DeviceFailure(str(error)) from error


def _named(images: np.ndarray) -> Pictures:
    """An array as the driver takes pictures, each with a name for what is said of it; ConfigError for another shape."""
    from bvit_hw.runtime.pictures import Pictures

    if images.ndim != 4 or not len(images):
        shape = " x ".join(map(str, images.shape))
        raise ConfigError(f"images are {shape}; needed: N x H x W x C, one or more")
    return Pictures([f"images[{n}]" for n in range(len(images))], [*images])
