"""What is searched: space.toml, read strictly (docs/explore.md)."""

from __future__ import annotations

import difflib
import itertools
import math
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bvit_hw.errors import CheckpointError, ConfigError
from bvit_hw.explore.hardware import Constraints, fastest_part
from bvit_hw.models import shipped_checkpoint
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.network_toml import NetworkDescription, read_network
from bvit_hw.models.presets import NAMES, preset_network
from bvit_hw.pipeline.architecture import ENGINE, STREAMING

#: fields of a network with an entry a stage
STAGE_FIELDS = ("channels", "depths", "heads", "mlp_widths", "reductions")
#: fields that a search may change; what is left follows from the data or is no matter of hardware
FIELDS = (
    *STAGE_FIELDS, "patch_size", "full_precision_merges", "stem_norm", "class_token", "pool_branches", "affine",
    "act_bits", "residual_bits", "weight_bits", "table_bits",
)  # fmt: skip
#: networks that are looked at for a legal one
_LOOKED_AT = 20_000
#: targets where a search does not say which
DEFAULT_TARGETS: tuple[str | float, ...] = ("fastest", "fastest/2", "fastest/4", "fastest/8", "fastest/16")

Choose = Callable[["Axis"], Any]
Table = TypeVar("Table", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Training(_Strict):
    """How a trial trains: ``epochs``, stopped early at first_rung, first_rung * reduction, ...; finalists go on longer.

    At each rung the best 1 / ``reduction`` of those that have come there go on. ``first_rung`` 0: none is stopped.
    """

    epochs: Annotated[int, Field(ge=2)] = 9
    first_rung: Annotated[int, Field(ge=0)] = 1
    reduction: Annotated[int, Field(ge=2)] = 3
    finalists: Annotated[int, Field(ge=0)] = 3
    final_epochs: Annotated[int, Field(ge=2)] | None = None
    recipe: str | None = None
    batch_size: Annotated[int, Field(ge=2)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs after which a trial may be stopped."""
        found, rung = [], self.first_rung
        while 0 < rung < self.epochs:
            found.append(rung)
            rung *= self.reduction
        return tuple(found)


class _Hardware(_Strict):
    target_fps: Annotated[list[str | float | int], Field(min_length=1)] = Field(
        default_factory=lambda: list(DEFAULT_TARGETS)
    )
    architecture: Annotated[list[Literal["streaming", "engine"]], Field(min_length=1)] = ["streaming"]


@dataclass(frozen=True)
class Axis:
    """One thing that is chosen: a field of the network, or one entry of it, and what it may be."""

    name: str
    alternatives: tuple[Any, ...]
    #: whole numbers from the first alternative to the last, by equal steps
    ordered: bool = False


@dataclass(frozen=True, kw_only=True)
class Space:
    """Networks around ``base``, folding targets, constraints, and how trials train."""

    base: NetworkDescription
    #: the words of the command line that name the base: --preset NAME, --network FILE
    base_words: tuple[str, ...]
    axes: tuple[Axis, ...] = ()
    #: by the field: alternatives of each entry
    each: Mapping[str, Axis] = field(default_factory=dict)
    #: rates of streaming accelerators; an engine has its own
    targets: tuple[str | float, ...] = DEFAULT_TARGETS
    architectures: tuple[str, ...] = (STREAMING,)
    constraints: Constraints = field(default_factory=Constraints)
    training: Training = field(default_factory=Training)

    def config(self, choose: Choose) -> BinaryViTConfig:
        """The network of what ``choose`` answers for each axis; :class:`ConfigError` where it is not legal."""
        values = self.base.config.model_dump()
        for axis in self.axes:
            values[axis.name] = choose(axis)
        stages = len(values["channels"])
        for name, axis in self.each.items():
            count = len(self.base.config.channels) if name == "channels" else stages
            values[name] = tuple(choose(Axis(f"{name}[{s}]", axis.alternatives, axis.ordered)) for s in range(count))
        return BinaryViTConfig.create(**values)

    @property
    def fixed(self) -> bool:
        """Whether there is one network only: the base."""
        return not self.axes and not self.each

    @property
    def points_a_network(self) -> int:
        """How many points a network has on one board."""
        return (len(self.targets) if STREAMING in self.architectures else 0) + (ENGINE in self.architectures)

    @property
    def checkpoint(self) -> Path | None:
        """The weights that a build gives the base, where that is the one network and they ship with the package."""
        if not self.fixed or self.base_words[0] != "--preset":
            return None
        try:
            return shipped_checkpoint(self.base.name)
        except CheckpointError:
            return None

    @property
    def networks(self) -> int:
        """How many networks may be drawn, legal or not; an upper bound where the number of stages is searched."""
        searched = [value for axis in self.axes if axis.name == "channels" for value in axis.alternatives]
        stages = max(len(value) for value in (searched or [self.base.config.channels]))
        each: int = math.prod(len(axis.alternatives) ** stages for axis in self.each.values())
        return math.prod(len(axis.alternatives) for axis in self.axes) * each

    def require_legal(self) -> None:
        """Raise :class:`ConfigError` where no network of the space is legal, with the reasons that were met most."""
        legal, reasons = self.looked_at(enough=1)
        if not legal:
            told = "; ".join(f"{reason} ({count} times)" for reason, count in reasons.most_common(3))
            raise ConfigError(f"the space holds no legal network among {reasons.total()} looked at: {told}")

    def looked_at(self, enough: int | None = None) -> tuple[int, Counter[str]]:
        """Legal networks, and why others are not: of all, or of many drawn ones; at most ``enough`` legal ones."""
        legal, reasons = 0, Counter[str]()
        for choose in self._choices():
            try:
                self.config(choose)
            except ConfigError as error:
                reasons[str(error).removeprefix("BinaryViT configuration: network: ")] += 1
            else:
                legal += 1
                if legal == enough:
                    break
        return legal, reasons

    def _choices(self) -> Iterator[Choose]:
        """All choices where they are few, else many drawn ones."""
        if self.networks > _LOOKED_AT:
            rng = random.Random(0)
            for _ in range(_LOOKED_AT):
                yield lambda axis: rng.choice(axis.alternatives)
            return
        wholes = itertools.product(*(axis.alternatives for axis in self.axes))
        for whole in wholes:
            chosen: dict[str, Any] = dict(zip((axis.name for axis in self.axes), whole, strict=True))
            stages = len(chosen.get("channels", self.base.config.channels))
            names = [(name, s) for name in self.each for s in range(stages)]
            for entries in itertools.product(*(self.each[name].alternatives for name, _ in names)):
                known = chosen | {f"{n}[{s}]": value for (n, s), value in zip(names, entries, strict=True)}
                yield partial(_entry_of, known)

    def identity(self) -> dict[str, Any]:
        """All that two workers of one study must have in common, JSON-ready."""
        return {
            "base": self.base.config.model_dump(mode="json"),
            "network": {axis.name: [_plain(v) for v in axis.alternatives] for axis in self.axes}
            | {name: {"each": [_plain(v) for v in axis.alternatives]} for name, axis in self.each.items()},
            "target_fps": list(self.targets),
            "architecture": list(self.architectures),
            "constraints": self.constraints.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
        }


def _entry_of(known: Mapping[str, Any], axis: Axis) -> Any:
    return known[axis.name]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def base_network(name: str, where: Path | None = None) -> tuple[NetworkDescription, tuple[str, ...]]:
    """The network called ``name``, a preset or a .toml file (relative to the folder ``where``), and its option."""
    if name in NAMES:
        return preset_network(name), ("--preset", name)
    if name.endswith(".toml"):
        path = (where or Path()) / Path(name).expanduser()
        return read_network(path), ("--network", str(path))
    raise ConfigError(f"base {name!r} is neither a preset nor a .toml file; presets: {', '.join(NAMES)}")


def read_space(path: Path) -> Space:
    """The space that the TOML file ``path`` describes; :class:`ConfigError` names the file and what is wrong in it."""
    where = f"space file {path}"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid TOML: {error}") from error
    try:
        return _space(values, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _space(values: Mapping[str, Any], folder: Path) -> Space:
    parts = ("base", "network", "hardware", "constraints", "training")
    for name in values:
        if name not in parts:
            raise ConfigError(f"{name}: {_nearest(name, parts)}")
    if not isinstance(values.get("base"), str):
        raise ConfigError('base: a preset or a network file is expected, as in base = "cifar10"')
    for name in parts[1:]:
        if not isinstance(values.get(name, {}), dict):
            raise ConfigError(f"{name}: a table is expected, [{name}]")
    base, words = base_network(values["base"], folder)
    axes, each = [], {}
    for name, given in values.get("network", {}).items():
        if name not in FIELDS:
            if name in BinaryViTConfig.model_fields:
                raise ConfigError(f"network.{name}: is not searched; set it in the base. Allowed: {', '.join(FIELDS)}")
            raise ConfigError(f"network.{name}: {_nearest(name, FIELDS)}")
        axis, by_stage = _axis(name, given)
        if by_stage:
            each[name] = axis
        else:
            axes.append(axis)
    hardware = _table(_Hardware, "hardware", values)
    for target in hardware.target_fps:
        fastest_part(target)
    _each_once("hardware.target_fps", hardware.target_fps)
    _each_once("hardware.architecture", hardware.architecture)
    training = _table(Training, "training", values)
    return Space(
        base=base,
        base_words=words,
        axes=tuple(axes),
        each=each,
        targets=tuple(hardware.target_fps),
        architectures=tuple(hardware.architecture),
        constraints=_table(Constraints, "constraints", values),
        training=training,
    )


def _table(kind: type[Table], name: str, values: Mapping[str, Any]) -> Table:
    try:
        return kind.model_validate(values.get(name, {}))
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            place = ".".join(map(str, (name, *fault["loc"][:1])))
            if fault["type"] == "extra_forbidden":
                faults.append(f"{place}: {_nearest(str(fault['loc'][0]), list(kind.model_fields))}")
            else:
                faults.append(f"{place}: {fault['msg']}; given: {fault['input']!r}")
        raise ConfigError("; ".join(faults)) from error


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return "no such field; " + (f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}")


def _each_once(where: str, alternatives: Sequence[Any]) -> None:
    for value, count in Counter(alternatives).items():
        if count > 1:
            raise ConfigError(f"{where}: {_plain(value)!r} is given {count} times")


def _axis(name: str, given: Any) -> tuple[Axis, bool]:
    """The axis of a field, and whether its alternatives are for every stage by itself."""
    axis, by_stage = _alternatives(name, given)
    _each_once(f"network.{name}", axis.alternatives)
    return axis, by_stage


def _alternatives(name: str, given: Any) -> tuple[Axis, bool]:
    if isinstance(given, dict):
        if set(given) == {"each"} and name in STAGE_FIELDS:
            inner = given["each"]
            if isinstance(inner, dict):
                return _range(name, inner), True
            if not isinstance(inner, list) or not inner:
                raise ConfigError(f"network.{name}.each: an array of numbers is expected; given: {inner!r}")
            return Axis(name, tuple(_entry(name, value) for value in inner)), True
        if name in STAGE_FIELDS:
            raise ConfigError(f"network.{name}: {{ each = [...] }} or arrays of arrays are expected; given: {given!r}")
        return _range(name, given), False
    if name in STAGE_FIELDS:
        if isinstance(given, list) and given and all(type(value) is int for value in given):
            given = [given]
        if not (isinstance(given, list) and given and all(isinstance(value, list) for value in given)):
            raise ConfigError(
                f"network.{name}: an array of arrays, one entry a stage, is expected, as in [[32, 64], [64, 128]]; "
                f"given: {given!r}"
            )
        return Axis(name, tuple(_checked(name, tuple(value)) for value in given)), False
    alternatives = given if isinstance(given, list) else [given]
    if not alternatives:
        raise ConfigError(f"network.{name}: at least one alternative is needed; given: []")
    return Axis(name, tuple(_checked(name, value) for value in alternatives)), False


def _range(name: str, given: Mapping[str, Any]) -> Axis:
    step = given.get("step", 1)
    numbers = (given.get("min"), given.get("max"), step)
    if not set(given) <= {"min", "max", "step"} or any(type(n) is not int for n in numbers):
        raise ConfigError(f"network.{name}: {{ min = .., max = .., step = .. }} in whole numbers; given: {dict(given)}")
    low, high = given["min"], given["max"]
    if high < low or step < 1 or (high - low) // step > 10_000:
        raise ConfigError(f"network.{name}: no range of at most 10,000 numbers: {dict(given)}")
    values = tuple(range(low, high + 1, step))
    for value in (values[0], values[-1]):
        _entry(name, value) if name in STAGE_FIELDS else _checked(name, value)
    return Axis(name, values, ordered=True)


def _entry(name: str, value: Any) -> Any:
    return _checked(name, (value,))[0]


def _checked(name: str, value: Any) -> Any:
    """``value`` where the field may be that by itself."""
    info = BinaryViTConfig.model_fields[name]
    kind: Any = info.annotation
    for extra in info.metadata:
        kind = Annotated[kind, extra]
    try:
        return TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        told = error.errors()[0]
        raise ConfigError(f"network.{name}: {told['msg']}; given: {told['input']!r}") from error
