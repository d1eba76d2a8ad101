"""What every hardware operator answers, in one place: streams, folding, cycles, cost, golden function, RTL.

An operator is a frozen dataclass: its fields are its shape, its datatypes and its folding, nothing else, so it can be
compared, hashed and written into a graph node. Weights, coefficients and thresholds travel beside it as ``Params``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.disk import write_aside
from bvit_hw.errors import ConfigError, FoldingError, LoweringError
from bvit_hw.ops.hls import HlsInstance
from bvit_hw.ops.params import ParamSpec, check_specs
from bvit_hw.targets import XC7, Target
from bvit_hw.targets.cost import CostTerms as CostTerms
from bvit_hw.targets.cost import Resources as Resources

IntArray = NDArray[np.int64]
Params = Mapping[str, np.ndarray]
T = TypeVar("T")


def divisors(n: int) -> list[int]:
    """All positive divisors of ``n``, ascending."""
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


def require_divisor(where: str, name: str, part: int, whole: int, what: str) -> None:
    """Raise FoldingError unless ``part``, called ``name``, divides ``whole``, so many ``what``."""
    if part < 1 or whole % part:
        raise FoldingError(f"{where}: {name}={part} does not divide {whole} {what}; allowed: {divisors(whole)}")


def clog2(n: int) -> int:
    """Smallest b with 2**b >= n (SystemVerilog's ``$clog2``)."""
    return max(n - 1, 0).bit_length()


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One AXI-Stream between operators.

    Tokens come in raster order, channels ascend within a token, ``lanes`` channels a beat; lane 0 lies in the low
    bits. A binary tensor has ``bits=1, signed=False``: 1 stands for +1, 0 for -1.
    """

    tokens: int
    channels: int
    lanes: int
    bits: int
    signed: bool

    def __post_init__(self) -> None:
        for name in ("tokens", "channels", "bits"):
            if getattr(self, name) < 1:
                raise ConfigError(f"stream: {name}={getattr(self, name)}; allowed: 1 or more")
        if self.signed not in (0, 1):
            raise ConfigError(f"stream: signed={self.signed}; allowed: 0 or 1")
        require_divisor("stream", "lanes", self.lanes, self.channels, "channels")

    @property
    def beats(self) -> int:
        """Beats a frame."""
        return self.tokens * self.channels // self.lanes

    @property
    def width(self) -> int:
        """Width of tdata in bits (no padding between or after lanes)."""
        return self.lanes * self.bits

    @property
    def low(self) -> int:
        """Smallest value a lane can hold."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest value a lane can hold."""
        return (1 << (self.bits - self.signed)) - 1

    def pack(self, frame: np.ndarray) -> list[int]:
        """Beats of one frame; ``frame`` is tokens x channels, integers within the stream's range."""
        values = np.asarray(frame, dtype=np.int64).reshape(self.tokens, self.channels)
        if values.size and (values.min() < self.low or values.max() > self.high):
            raise OverflowError(f"values {values.min()}..{values.max()} do not fit {self.low}..{self.high}")
        mask = (1 << self.bits) - 1
        beats = []
        for row in (values.reshape(self.beats, self.lanes) & mask).tolist():
            word = 0
            for lane, value in enumerate(row):
                word |= value << (lane * self.bits)
            beats.append(word)
        return beats

    def unpack(self, beats: Sequence[int]) -> IntArray:
        """Inverse of :meth:`pack`: tokens x channels, int64."""
        mask, sign = (1 << self.bits) - 1, 1 << (self.bits - 1)
        flat = [(word >> (lane * self.bits)) & mask for word in beats for lane in range(self.lanes)]
        values = np.array(flat, dtype=np.int64).reshape(self.tokens, self.channels)
        return np.where(values & sign, values - (1 << self.bits), values) if self.signed else values


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Contents of one memory that RTL loads with ``$readmemh``: one word a line, address 0 first.

    A single word is written twice, and the RTL declares two: some tools refuse or warn of a memory of one word.
    """

    width: int
    words: Sequence[int]

    def write(self, path: Path) -> None:
        """Write the hexadecimal text atomically."""
        write_aside(path, self.text)

    @property
    def text(self) -> str:
        """What the file holds."""
        digits = (self.width + 3) // 4
        words = [*self.words] * (2 if len(self.words) == 1 else 1)
        return "".join(f"{word:0{digits}x}\n" for word in words)


@dataclass(frozen=True, kw_only=True)
class RtlInstance:
    """How to instantiate the operator's module of rtl/.

    ``memories`` maps the name of a file-name parameter to the contents; the code generator chooses the file names.
    ``inputs`` and ``outputs`` are port prefixes, in the order of the operator's streams. Streams that share a prefix
    are packed into one port, the first in the low bits (see :meth:`ports`). ``unused_inputs`` are prefixes of input
    ports that this configuration leaves alone: whoever instantiates the module ties them to 0.
    """

    module: str
    parameters: Mapping[str, int | str]
    inputs: tuple[str, ...] = ("s_axis",)
    outputs: tuple[str, ...] = ("m_axis",)
    memories: Mapping[str, Memory] = field(default_factory=dict)
    unused_inputs: tuple[str, ...] = ()

    def ports(self, inputs: Sequence[T], outputs: Sequence[T]) -> dict[str, list[T]]:
        """What belongs to each port prefix, given something for each stream: inputs first, packed ones in order."""
        return {**ports_of(self.inputs, inputs), **ports_of(self.outputs, outputs)}


def ports_of(prefixes: Sequence[str], streams: Sequence[T]) -> dict[str, list[T]]:
    """The streams of each prefix, in order; one prefix with several streams is a packed port."""
    found: dict[str, list[T]] = {}
    for prefix, stream in zip(prefixes, streams, strict=True):
        found.setdefault(prefix, []).append(stream)
    return found


def packed(signals: Sequence[str]) -> str:
    """One SystemVerilog expression for the signals of a port, the first of them in the low bits."""
    return signals[0] if len(signals) == 1 else "{" + ", ".join(reversed(signals)) + "}"


class Intake(Enum):
    """How an operator takes beats: when its ready falls, and so where its streams need a FIFO (graph/insert_fifos.py).

    A FIFO before an operator lets its producer go on while its ready is low.
    """

    #: ready falls while the operator works on what it has; a FIFO before it
    WAITS = "waits"
    #: ready falls only as its output stalls: a beat a cycle, no FIFO before it, the one behind it serves its producer
    FLOWS = "flows"
    #: as WAITS, but the operator stores its next input itself, so that the FIFO before it seldom holds anything
    STORES = "stores"
    #: a beat leaves as several narrower ones: a FIFO before it, where beats are few, and none behind it
    SPLITS = "splits"


def port_prefixes(side: str, count: int) -> tuple[str, ...]:
    """``s_axis`` for one stream, ``s0_axis, s1_axis, ...`` for several (``side`` is "s" or "m")."""
    return (f"{side}_axis",) if count == 1 else tuple(f"{side}{i}_axis" for i in range(count))


@dataclass(frozen=True, kw_only=True)
class HwOp(ABC):
    """Base of the hardware operators: an immutable configuration that answers every question about itself.

    Subclasses validate themselves in :meth:`check_fields` and raise :class:`FoldingError` for an illegal folding and
    :class:`~bvit_hw.errors.ConfigError` for an illegal shape, naming what was given and what is allowed. What holds for
    every operator is checked before that: integers are integers, and 1 or more but for ``zero_fields``.
    """

    op_type: ClassVar[str]
    #: the node of docs/contract.md that it carries out; "" for what lowering adds itself
    contract_node: ClassVar[str] = ""
    #: names of the fields that are folding (the solver may change them); all others are the shape
    folding_fields: ClassVar[tuple[str, ...]] = ("pe",)
    #: names of integer fields, or tuples of integers, that may be 0 (shifts, flags) or whose least value the operator
    #: states itself; folding fields need not be named
    zero_fields: ClassVar[tuple[str, ...]] = ()
    #: files of rtl/ that the module needs, in compile order, its own last
    rtl_sources: ClassVar[tuple[str, ...]]
    #: whether it only carries data between other operators: the graph's passes place it, folding does not choose it
    is_glue: ClassVar[bool] = False
    #: whether a kernel on a die begins or ends with it (graph/dies.py)
    is_die_border: ClassVar[bool] = False
    #: the FPGAs that it is built for: where its costs come from, and what decides between kinds of memories. It is no
    #: attribute of a graph's node: a graph is put on a board's target when it is read (graph/vendor_cells.py)
    target: Target = field(default=XC7, repr=False)

    def __post_init__(self) -> None:
        for name, given in self.attributes().items():
            if isinstance(given, str):
                if self.__dataclass_fields__[name].type != "str":
                    raise ConfigError(f"{self.op_type}: {name}={given!r}; allowed: integers")
                continue
            # A folding field's least value is the operator's own affair: 0 divides nothing, but is a flag as well.
            least = 0 if name in (*self.zero_fields, *self.folding_fields) or isinstance(given, bool) else 1
            for value in given if isinstance(given, (tuple, list)) else (given,):
                if not isinstance(value, (int, np.integer)):
                    raise ConfigError(f"{self.op_type}: {name}={given!r}; allowed: integers")
                if value < least and name not in self.folding_fields:
                    raise ConfigError(f"{self.op_type}: {name}={given}; allowed: {least} or more")
            # NumPy's integers are of a few bits, and products of sizes go round in them.
            if isinstance(given, np.integer):
                object.__setattr__(self, name, int(given))
            elif isinstance(given, tuple) and any(isinstance(value, np.integer) for value in given):
                object.__setattr__(self, name, tuple(map(int, given)))
        self.check_fields()

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """The operator for a node of kind ``contract_node``, folded as slowly as possible."""
        raise LoweringError(f"{node.output}: {cls.op_type} carries out no node of the contract")

    @abstractmethod
    def check_fields(self) -> None:
        """What this operator asks of its fields beyond what all do (see the class)."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Files of rtl/ that this configuration needs, in compile order: ``rtl_sources`` and what a variant adds."""
        return self.rtl_sources

    @property
    def cell_models(self) -> tuple[str, ...]:
        """Files of rtl/ with models of the vendor's cells that :attr:`sources` instantiate.

        Simulation, lint and Yosys read them first; the vendor's own tools must not, for they bring the cells along.
        """
        return ()

    @property
    @abstractmethod
    def inputs(self) -> tuple[Stream, ...]:
        """The input streams, in order."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[Stream, ...]:
        """The output streams, in order."""

    @property
    @abstractmethod
    def cycles(self) -> int:
        """Cycles a frame in steady state, back to back, never starved nor stalled."""

    @property
    def intake(self) -> Intake:
        """How it takes beats."""
        return Intake.WAITS

    @property
    def ready_passes(self) -> bool:
        """Whether an input's ready follows an output's within a cycle; else it comes from registers."""
        return True

    @property
    def ready_tables(self) -> int:
        """Lookup tables in a row on the way to an input's ready, from an output's or from registers.

        All but the first lie behind a net that enables most of the operator's registers, and so are late.
        """
        return 2

    @property
    def lags(self) -> tuple[float, ...]:
        """For each input the part of a frame that passes between its first value and the first output.

        Whatever the folding; what an operator's pipeline takes is not counted.
        """
        return (0.0,) * len(self.inputs)

    @property
    def fifo_depth(self) -> int:
        """Beats that it holds, if it is a FIFO, whose depth sizing chooses; 0 for every other operator."""
        return 0

    @property
    def fifo_memory(self) -> str:
        """What a FIFO's beats are kept in, in words; nothing for every other operator."""
        return ""

    @abstractmethod
    def foldings(self) -> Iterator[Self]:
        """Every legal folding of this operator worth considering, slowest first."""

    @abstractmethod
    def cost_terms(self) -> CostTerms:
        """What its circuit consists of; the target knows what one of each term costs (benchmarks/fit_costs.py)."""

    def resources(self) -> Resources:
        """Predicted cost on its target."""
        return self.target.weigh(self.cost_terms())

    @property
    def param_specs(self) -> Mapping[str, ParamSpec]:
        """What its parameters must be, by name; none unless an operator says so."""
        return {}

    def check_params(self, params: Params) -> None:
        """Raise ConfigError unless ``params`` are exactly what :attr:`param_specs` says."""
        check_specs(self.op_type, self.param_specs, params)

    def random_params(self, rng: np.random.Generator) -> dict[str, IntArray]:
        """Parameters that :meth:`check_params` takes, drawn uniformly: for tests, benches and cost fits."""
        return {name: spec.random(rng) for name, spec in self.param_specs.items()}

    @abstractmethod
    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """One frame in, one frame out, as integers: arrays tokens x channels, one for each stream."""

    @abstractmethod
    def rtl(self, params: Params) -> RtlInstance:
        """The module, its parameters and its memory contents."""

    @classmethod
    def has_hls(cls) -> bool:
        """Whether there is a template of hls/ for it."""
        return cls.hls is not HwOp.hls

    def hls(self, params: Params) -> HlsInstance:
        """The template of hls/, its configuration and its tables; ConfigError where the operator has no template."""
        raise ConfigError(f"{self.op_type}: has no HLS template, only RTL; allowed: rtl")

    def check_flag(self, name: str) -> None:
        """Raise ConfigError unless the named field is 0 or 1."""
        value = getattr(self, name)
        if value not in (0, 1):
            raise ConfigError(f"{self.op_type}: {name}={value}; allowed: 0 or 1")

    def fold(self, **folding: int) -> Self:
        """The same operator folded differently."""
        changed: dict[str, Any] = {**folding}
        return replace(self, **changed)

    def on(self, target: Target) -> Self:
        """The same operator built for another target, of its cells where the RTL has a variant for them."""
        return replace(self, target=target)

    def attributes(self) -> dict[str, Any]:
        """The fields but the target as a plain dictionary, as a graph node carries them."""
        return {name: getattr(self, name) for name in self.attribute_names()}

    @classmethod
    def attribute_names(cls) -> tuple[str, ...]:
        """Names of the fields but the target."""
        return tuple(f.name for f in fields(cls) if f.name != "target")
