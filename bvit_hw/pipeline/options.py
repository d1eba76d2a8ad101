"""What a build is asked for, checked before anything runs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path

from bvit_hw.boards import Board, load_board
from bvit_hw.data import open_data
from bvit_hw.errors import CheckpointError, ConfigError, DatasetError
from bvit_hw.flows.vendor import flow_of
from bvit_hw.graph.implementation import IMPLEMENTATIONS
from bvit_hw.models import preset, shipped_checkpoint
from bvit_hw.models.checkpoint import refuse_folder
from bvit_hw.models.network_toml import NetworkDescription, read_network
from bvit_hw.models.presets import preset_network
from bvit_hw.network_file import is_frozen, network_name, network_record, refuse_calibration
from bvit_hw.pipeline.architecture import ARCHITECTURES, AUTO, ENGINE, STREAMING, choose_architecture
from bvit_hw.pipeline.random_network import random_network

#: what is built where no network is named
DEFAULT_PRESET = "tiny-digits"
#: a frame an hour, about
LEAST_FPS = 0.001


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """A build request; ``simulated_images`` go through the RTL, all others through the frozen model only."""

    board: Board
    checkpoint: Path
    #: what accuracy is measured on; None: nothing, for the reason ``not_measured``, and generated images are simulated
    data: str | None
    clock_mhz: float
    target_fps: float | None
    simulated_images: int
    jobs: int
    not_measured: str = ""
    #: whether pictures of ``data`` that are grey are converted for a colour network, and the reverse; else refused
    convert_colours: bool = False
    #: images to choose the scales of a float-residual checkpoint with: a folder, an .npz, a dataset
    calibrate: str | None = None
    #: RTL or HLS flavour of the operators (graph/implementation.py), for all and for single ones by name
    impl: str = "auto"
    impl_of: tuple[tuple[str, str], ...] = ()
    #: whether the package gets the accelerator as a simulated device, for notebooks without a board; None: where the
    #: core is small enough to be compiled as a whole
    simulated_device: bool | None = None
    #: of so many FIFOs it is tried with how many beats less the accelerator is as fast
    tried_fifos: int = 0
    #: "streaming" or "engine", and why it is that one
    architecture: str = STREAMING
    architecture_note: str = ""

    @cached_property
    def checkpoint_digest(self) -> str:
        """SHA-256 of the checkpoint's file."""
        with self.checkpoint.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def model_name(self) -> str:
        """What people call the network."""
        return network_name(self.checkpoint)


def chosen_network(
    *,
    preset_name: str | None,
    network: Path | None,
    random_weights: bool,
    checkpoint: Path | None,
    calibrate: str | None,
) -> tuple[Path, NetworkDescription | None]:
    """The file of the network that the command line names, and its description where its weights are random.

    Raises a BvitError that says what was given and what is allowed.
    """
    named = {"--preset": preset_name, "--network": network, "--checkpoint": checkpoint}
    given = [f"{option} {value}" for option, value in named.items() if value is not None]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)}: give one of them")
    if random_weights and checkpoint is not None:
        raise ConfigError(f"--random-weights and --checkpoint {checkpoint}, which has weights: give one of them")
    described = None if network is None else read_network(network)
    if random_weights and described is None:
        described = preset_network(preset_name or DEFAULT_PRESET)
    if described is not None:
        checkpoint = random_network(described)
    elif checkpoint is None:
        name = preset_name or DEFAULT_PRESET
        preset(name)  # an unknown one is refused with the list of the known ones
        try:
            checkpoint = shipped_checkpoint(name)
        except CheckpointError as error:
            raise CheckpointError(
                f"{error}. Train one (bvit-hw train) and name it by --checkpoint, or take --random-weights"
            ) from error
    refuse_folder(checkpoint)
    try:
        with checkpoint.open("rb"):
            pass
    except OSError as error:
        raise CheckpointError(f"checkpoint {checkpoint}: {error.strerror}") from error
    if is_frozen(checkpoint):
        refuse_calibration(checkpoint, calibrate)
    return checkpoint, described


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, Real) else repr(value)


def checked_rate(target_fps: float | None) -> float | None:
    """The frame rate that is asked for; ConfigError for what is none."""
    if target_fps is not None and not (isinstance(target_fps, Real) and LEAST_FPS <= target_fps < math.inf):
        raise ConfigError(f"--target-fps {_shown(target_fps)} must be a number from {LEAST_FPS:g} on")
    return target_fps


def checked_count(option: str, count: int, least: int = 1) -> int:
    """``count``; ConfigError that names ``option`` where it is no whole number from ``least`` on."""
    if not (isinstance(count, Integral) and count >= least):
        raise ConfigError(f"{option} {_shown(count)} must be a whole number from {least} on")
    return count


def checked_clock(board: Board, clock_mhz: float | None) -> float:
    """The clock in MHz that is asked for, or the board's; a BvitError where the board cannot have it."""
    clock = clock_mhz if clock_mhz is not None else board.clock_mhz
    if not (isinstance(clock, Real) and 1 <= clock <= 1000):
        raise ConfigError(f"--clock-mhz {_shown(clock)} must lie in 1..1000")
    flow_of(board).check_clock(board, clock)
    return clock


def resolve(
    *,
    board: str,
    preset_name: str | None,
    network: Path | None = None,
    random_weights: bool = False,
    checkpoint: Path | None,
    data: str | None,
    convert_colours: bool = False,
    clock_mhz: float | None,
    target_fps: float | None,
    simulated_images: int,
    jobs: int,
    calibrate: str | None = None,
    impl: str = "auto",
    impl_of: Sequence[str] = (),
    simulated_device: bool | None = None,
    tried_fifos: int = 0,
    architecture: str = AUTO,
) -> BuildOptions:
    """Options from the command line's words. Raises a BvitError that lists what is allowed."""
    found_board = load_board(board)
    checkpoint, described = chosen_network(
        preset_name=preset_name, network=network, random_weights=random_weights, checkpoint=checkpoint,
        calibrate=calibrate,
    )  # fmt: skip
    checked_rate(target_fps)
    clock = checked_clock(found_board, clock_mhz)
    checked_count("--images", simulated_images)
    checked_count("--jobs", jobs)
    checked_count("--try-fifos", tried_fifos, 0)
    if impl not in IMPLEMENTATIONS:
        raise ConfigError(f"--impl {impl}; allowed: {', '.join(IMPLEMENTATIONS)}")
    given = {
        "--target-fps": target_fps is not None, "--impl": impl != "auto", "--impl-of": bool(impl_of),
        "--try-fifos": tried_fifos > 0,
    }  # fmt: skip
    streaming_only = tuple(option for option, is_given in given.items() if is_given)
    if architecture not in ARCHITECTURES:
        raise ConfigError(f"--architecture {architecture}; allowed: {', '.join(ARCHITECTURES)}")
    if architecture == ENGINE and streaming_only:
        raise ConfigError(f"--architecture engine and {' and '.join(streaming_only)}: an engine has no such choice")
    chosen, note = choose_architecture(architecture, found_board, checkpoint, streaming_only)
    if chosen == ENGINE and clock_mhz is None:
        clock = checked_clock(found_board, found_board.engine_clock_mhz)
    if described is not None and data is None:
        trained_by = f"--network {network}" if network is not None else f"--preset {described.name}"
        measured, reason = None, f"{described.name} has random weights; `bvit-hw train {trained_by}` trains it"
    else:
        measured, reason = _measurable(checkpoint, data, calibrate)
    return BuildOptions(
        board=found_board.model_copy(update={"clock_mhz": clock}),
        checkpoint=checkpoint,
        data=measured,
        not_measured=reason,
        convert_colours=convert_colours,
        clock_mhz=clock,
        target_fps=target_fps,
        simulated_images=simulated_images,
        simulated_device=simulated_device,
        tried_fifos=tried_fifos,
        jobs=jobs,
        calibrate=calibrate,
        impl=impl,
        impl_of=_implementations(impl, impl_of),
        architecture=chosen,
        architecture_note=note,
    )


def _implementations(impl: str, impl_of: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """``NODE=hls`` words as pairs; where HLS is asked for, what compiles it has to be there."""
    pairs = []
    for word in impl_of:
        name, _, flavour = word.rpartition("=")
        if not name or flavour not in IMPLEMENTATIONS:
            raise ConfigError(f"--impl-of {word}; allowed: OPERATOR={'|'.join(IMPLEMENTATIONS)}")
        pairs.append((name, flavour))
    if "hls" in (impl, *(flavour for _, flavour in pairs)):
        from bvit_hw.flows.gxx import ap_types

        ap_types()
    return tuple(pairs)


def _measurable(checkpoint: Path, data: str | None, calibrate: str | None) -> tuple[str | None, str]:
    """What accuracy is measured on: ``data``, or what the checkpoint was trained on; None and why, where that is gone.

    Nothing else is measured in its place: an accuracy on other data would be a wrong number.
    """
    if data is not None:
        return data, ""
    own = network_record(checkpoint).dataset or calibrate
    if own is None:
        return None, f"{checkpoint}: does not say what it was trained on; --data names images to measure"
    try:
        if not own.endswith(".npz"):
            open_data(own)
        elif not Path(own).is_file():
            raise DatasetError(f"{own}: no such file")
    except (ConfigError, DatasetError) as error:
        return None, f"{own}, which {checkpoint.name} was trained on, is not at hand ({error}); --data says where it is"
    return own, ""
