"""Makes the hardware operators known to FINN: one HWCustomOp and one RTL variant for each, made from the HwOp itself.

FINN looks operators up by name in dictionaries of its own, so :func:`register` has to run before a graph with them is
used. Importing FINN takes seconds and wants a build folder: both happen in :func:`register`, not on import.
"""

from __future__ import annotations

import os
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bvit_hw import __version__
from bvit_hw.errors import LoweringError
from bvit_hw.finn.node import RTL_SUFFIX, datatype_name, op_of, param_names, run_golden
from bvit_hw.ops.base import HwOp, Stream, packed
from bvit_hw.ops.registry import field_types, op_class, operators
from bvit_hw.rtl_library import source_paths
from bvit_hw.templates import templates

if TYPE_CHECKING:
    from qonnx.core.modelwrapper import ModelWrapper

#: how FINN's attribute tables name the types of fields
_KINDS = {int: "i", bool: "i", str: "s", tuple: "ints"}
_TEMPLATES = templates("bvit_hw.finn")


def _padded(width: int) -> int:
    """Width of a tdata port as FINN wants it: whole bytes."""
    return -(-width // 8) * 8


def _fields_table(op_type: str) -> dict[str, tuple[Any, ...]]:
    """Fields of the operator as FINN's attribute table; all required but those with a default."""
    defaults: dict[type, Any] = {int: 0, bool: 0, str: "", tuple: []}
    cls = op_class(op_type)
    table: dict[str, tuple[Any, ...]] = {}
    for name, kind in field_types(op_type).items():
        default = getattr(cls, name, None)
        if isinstance(default, (int, str, tuple)):
            value = list(default) if isinstance(default, tuple) else default
            table[name] = (_KINDS[kind], False, int(value) if isinstance(value, bool) else value)
        else:
            table[name] = (_KINDS[kind], True, defaults[kind])
    return table


def _make_classes(op_type: str, hw_base: type, rtl_base: type) -> tuple[type, type]:
    """The HWCustomOp of ``op_type`` and its RTL variant."""
    from qonnx.core.datatype import DataType

    fields_table = _fields_table(op_type)

    class Adapter(hw_base):  # type: ignore[misc]
        """Answers FINN's questions from the HwOp that the node's attributes describe."""

        def get_nodeattr_types(self) -> dict[str, tuple[Any, ...]]:
            table: dict[str, tuple[Any, ...]] = dict(super().get_nodeattr_types())
            clash = sorted(set(table) & set(fields_table))
            if clash:
                raise LoweringError(f"{op_type}: fields {clash} are FINN's own attributes")
            own = {"param_names": ("strings", True, [""]), "in_shapes": ("ints", True, []),
                   "out_shapes": ("ints", True, [])}  # fmt: skip
            return {**table, **fields_table, **own}

        @property
        def op(self) -> HwOp:
            """The operator."""
            return op_of(self.onnx_node)

        def _stream(self, side: str, ind: int) -> Stream | None:
            streams = getattr(self.op, side)
            return cast(Stream, streams[ind]) if ind < len(streams) else None

        def _shape(self, attribute: str, ind: int) -> list[int]:
            return list(self.get_nodeattr(attribute))[4 * ind : 4 * ind + 4]

        # ---------------------------------------------------------------- shapes and types

        def get_normal_input_shape(self, ind: int = 0) -> list[int]:
            return self._shape("in_shapes", ind)

        def get_normal_output_shape(self, ind: int = 0) -> list[int]:
            return self._shape("out_shapes", ind)

        def get_folded_input_shape(self, ind: int = 0) -> list[int]:
            return _folded(self._stream("inputs", ind))

        def get_folded_output_shape(self, ind: int = 0) -> list[int]:
            return _folded(self._stream("outputs", ind))

        def get_instream_width(self, ind: int = 0) -> int:
            stream = self._stream("inputs", ind)
            return stream.width if stream else 0

        def get_outstream_width(self, ind: int = 0) -> int:
            stream = self._stream("outputs", ind)
            return stream.width if stream else 0

        def get_input_datatype(self, ind: int = 0) -> Any:
            stream = self._stream("inputs", ind)
            return DataType[datatype_name(stream.bits, stream.signed) if stream else "INT32"]

        def get_output_datatype(self, ind: int = 0) -> Any:
            stream = self._stream("outputs", ind)
            assert stream is not None, ind
            return DataType[datatype_name(stream.bits, stream.signed)]

        def make_shape_compatible_op(self, model: ModelWrapper) -> Any:
            node = super().make_shape_compatible_op(model)
            node.output[:] = self.onnx_node.output
            return node

        def infer_node_datatype(self, model: ModelWrapper) -> None:
            for ind in range(len(self.op.inputs)):
                tensor = self.onnx_node.input[ind]
                found, wanted = model.get_tensor_datatype(tensor), self.get_input_datatype(ind)
                if found != wanted:
                    raise LoweringError(f"{self.onnx_node.name}: {tensor} is {found.name}, takes {wanted.name}")
            for ind, tensor in enumerate(self.onnx_node.output):
                model.set_tensor_datatype(tensor, self.get_output_datatype(ind))

        def verify_node(self) -> list[str]:
            self.op.__class__(**self.op.attributes())
            return ["The necessary attributes exist and are legal"]

        # ---------------------------------------------------------------- cost

        def get_exp_cycles(self) -> int:
            return self.op.cycles

        def lut_estimation(self, fpgapart: str) -> int:
            return round(self.op.resources().lut)

        def bram_estimation(self, fpgapart: str) -> int:
            return round(self.op.resources().bram18)

        def uram_estimation(self, fpgapart: str) -> int:
            return round(self.op.resources().uram)

        def dsp_estimation(self, fpgapart: str) -> int:
            return round(self.op.resources().dsp)

        # ---------------------------------------------------------------- execution

        def _run_golden(self, context: dict[str, np.ndarray]) -> None:
            node, op = self.onnx_node, self.op
            count = len(op.inputs)
            params = {
                key: np.rint(np.asarray(context[tensor])).astype(np.int64)
                for key, tensor in zip(param_names(node), node.input[count:], strict=True)
            }
            shapes = [tuple(self.get_normal_output_shape(i)) for i in range(len(node.output))]
            values = [context[tensor] for tensor in node.input[:count]]
            context.update(zip(node.output, run_golden(op, params, values, shapes), strict=True))

        def execute_node(self, context: dict[str, np.ndarray], graph: Any) -> None:
            self._run_golden(context)

    class RtlAdapter(Adapter, rtl_base):  # type: ignore[misc]
        """The RTL variant: a wrapper around the library module with FINN's port names, memories beside it."""

        def get_verilog_top_module_name(self) -> str:
            return re.sub(r"\W", "_", self.onnx_node.name)

        def execute_node(self, context: dict[str, np.ndarray], graph: Any) -> None:
            if self.get_nodeattr("exec_mode") == "rtlsim":
                rtl_base.execute_node(self, context, graph)  # type: ignore[attr-defined]
            else:
                self._run_golden(context)

        def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
            folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
            top = self.get_verilog_top_module_name()
            params = {
                key: np.rint(np.asarray(model.get_initializer(tensor))).astype(np.int64)
                for key, tensor in zip(
                    param_names(self.onnx_node), self.onnx_node.input[len(self.op.inputs) :], strict=True
                )
            }
            _write_wrapper(folder, top, self.op, params)
            self.set_nodeattr("gen_top_module", top)
            self.set_nodeattr("ipgen_path", str(folder))
            self.set_nodeattr("ip_path", str(folder))

        def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
            folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
            wrapper = folder / f"{self.get_nodeattr('gen_top_module')}.v"
            files = [*source_paths(self.op.sources), wrapper]
            return [str(file) if abspath else file.name for file in files]

        def get_verilog_paths(self) -> list[str]:
            folders = dict.fromkeys(str(path.parent) for path in source_paths(self.op.sources))
            return [*folders, self.get_nodeattr("code_gen_dir_ipgen")]

        def code_generation_ipi(self) -> list[str]:
            commands = [f"add_files -norecurse {file}" for file in self.get_rtl_file_list(abspath=True)]
            top = self.get_nodeattr("gen_top_module")
            return [*commands, f"create_bd_cell -type module -reference {top} {self.onnx_node.name}"]

    for cls, name in ((Adapter, op_type), (RtlAdapter, op_type + RTL_SUFFIX)):
        cls.__name__ = cls.__qualname__ = name
        cls.__module__ = __name__
    return Adapter, RtlAdapter


def _folded(stream: Stream | None) -> list[int]:
    if stream is None:
        return []
    return [1, stream.tokens, stream.channels // stream.lanes, stream.lanes]


def _write_wrapper(folder: Path, top: str, op: HwOp, params: dict[str, np.ndarray]) -> None:
    """``<top>.v`` and the memories in ``folder``; memories are named by absolute path, wherever FINN's tools run."""
    rtl = op.rtl(params)
    parameters = [(name, f'"{v}"' if isinstance(v, str) else str(int(v))) for name, v in rtl.parameters.items()]
    for name, memory in rtl.memories.items():
        path = folder.resolve() / f"{top}_{name.lower().removesuffix('_file')}.mem"
        memory.write(path)
        parameters.append((name, f'"{path}"'))
    ports = [
        {"outer": f"{label}{i}_V", "width": s.width, "padded": _padded(s.width), "is_input": is_input}
        for label, streams, is_input in (("in", op.inputs, True), ("out", op.outputs, False))
        for i, s in enumerate(streams)
    ]
    outer = [(f"{p['outer']}_tdata[{s.width - 1}:0]", f"{p['outer']}_tvalid", f"{p['outer']}_tready")
             for p, s in zip(ports, (*op.inputs, *op.outputs), strict=True)]  # fmt: skip
    inner = {
        f"{port}_{signal}": packed([names[i] for names in streams])
        for port, streams in rtl.ports(outer[: len(op.inputs)], outer[len(op.inputs) :]).items()
        for i, signal in enumerate(("tdata", "tvalid", "tready"))
    }
    text = _TEMPLATES.get_template("finn_wrapper.v.j2").render(
        top=top, version=__version__, module=rtl.module, parameters=parameters, ports=ports,
        inner=inner, unused=rtl.unused_inputs,
    )  # fmt: skip
    (folder / f"{top}.v").write_text(text)


@cache
def register() -> dict[str, tuple[type, type]]:
    """Put all operators into FINN's dictionaries; gives op_type -> (HWCustomOp, RTL variant).

    Sets FINN_BUILD_DIR to a temporary folder where the caller has set none. Raises LoweringError where FINN has an
    operator of the same name.
    """
    if not os.environ.get("FINN_BUILD_DIR"):
        os.environ["FINN_BUILD_DIR"] = tempfile.mkdtemp(prefix="bvit-finn-")
    import finn.custom_op.fpgadataflow as hw
    import finn.custom_op.fpgadataflow.rtl as rtl
    from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
    from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend

    classes: dict[str, tuple[type, type]] = {}
    for op_type in operators():
        if op_type in hw.custom_op or op_type + RTL_SUFFIX in rtl.custom_op:
            raise LoweringError(f"FINN has an operator called {op_type} already")
        pair = _make_classes(op_type, HWCustomOp, RTLBackend)
        hw.register_custom_op(pair[0])
        rtl.register_custom_op(pair[1])
        classes[op_type] = pair
    return classes
