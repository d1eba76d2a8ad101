"""The HLS flavour of the operators for FINN: cppsim through the compiled template, projects for Vitis HLS.

It stands apart from operators.py, for it needs compilers.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bvit_hw.codegen.hls import HlsUnit, csim_text, hls_unit, vector_frames
from bvit_hw.disk import write_aside
from bvit_hw.errors import LoweringError
from bvit_hw.finn.node import HLS_SUFFIX, from_frames, param_names, to_frames
from bvit_hw.finn.operators import register
from bvit_hw.flows import vitis_hls
from bvit_hw.flows.gxx import CSim, compile_program
from bvit_hw.ops.base import Params
from bvit_hw.ops.registry import hls_op_types

if TYPE_CHECKING:
    from qonnx.core.modelwrapper import ModelWrapper

#: frames in the test bench of a project
VECTORS = 2


@cache
def register_hls() -> dict[str, type]:
    """Put the HLS flavour of every operator that has a template into FINN's dictionary; op_type -> class.

    Registers the operators themselves first. Raises LoweringError where FINN has an operator of the same name.
    """
    classes = register()
    import finn.custom_op.fpgadataflow.hls as hls
    from finn.custom_op.fpgadataflow.hlsbackend import HLSBackend

    found: dict[str, type] = {}
    for op_type in hls_op_types():
        if op_type + HLS_SUFFIX in hls.custom_op:
            raise LoweringError(f"FINN has an operator called {op_type}{HLS_SUFFIX} already")
        found[op_type] = hls.register_custom_op(_make_class(op_type, classes[op_type][0], HLSBackend))
    return found


def _integers(value: Any) -> np.ndarray:
    rounded: np.ndarray = np.rint(np.asarray(value)).astype(np.int64)
    return rounded


def _make_class(op_type: str, adapter: type, hls_base: type) -> type:
    class HlsAdapter(adapter, hls_base):  # type: ignore[misc]
        """The HLS variant: exec_mode "cppsim" runs the compiled template, any other the golden function."""

        def get_verilog_top_module_name(self) -> str:
            return re.sub(r"\W", "_", self.onnx_node.name)

        def _unit(self, values: Any) -> HlsUnit:
            """The instance with its parameters, which ``values`` gives by tensor name."""
            tensors = self.onnx_node.input[len(self.op.inputs) :]
            params: Params = {
                key: _integers(values(tensor)) for key, tensor in zip(param_names(self.onnx_node), tensors, strict=True)
            }
            return hls_unit(self.op, params)

        # ---------------------------------------------------------------- C simulation

        def code_generation_cppsim(self, model: ModelWrapper) -> None:
            unit = self._unit(model.get_initializer)
            write_aside(Path(self.get_nodeattr("code_gen_dir_cppsim")) / "csim.cpp", csim_text([unit]))

        def compile_singlenode_code(self) -> None:
            text = (Path(self.get_nodeattr("code_gen_dir_cppsim")) / "csim.cpp").read_text()
            self.set_nodeattr("executable_path", str(compile_program(text, "csim")))

        def execute_node(self, context: dict[str, np.ndarray], graph: Any) -> None:
            if self.get_nodeattr("exec_mode") != "cppsim":
                self._run_golden(context)
                return
            executable = self.get_nodeattr("executable_path")
            if not executable:
                raise LoweringError(
                    f"{self.onnx_node.name}: cppsim before its template was compiled; run PrepareCppSim, CompileCppSim"
                )
            node, op = self.onnx_node, self.op
            unit = self._unit(context.__getitem__)
            frames = to_frames(op, [context[tensor] for tensor in node.input[: len(op.inputs)]])
            (outputs,) = CSim(executable=Path(executable), units=(unit,)).run(unit, [frames])
            shapes = [tuple(self.get_normal_output_shape(i)) for i in range(len(node.output))]
            context.update(zip(node.output, from_frames(op, outputs, shapes), strict=True))

        # ---------------------------------------------------------------- Vitis HLS

        def code_generation_ipgen(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
            folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
            unit = self._unit(model.get_initializer)
            vitis_hls.copy_headers(folder)
            vitis_hls.write_project(
                folder,
                unit,
                self.get_verilog_top_module_name(),
                vector_frames(unit.op, unit.params, VECTORS),
                part=fpgapart,
                period_ns=clk,
                project=f"project_{self.onnx_node.name}",
            )

        def ipgen_singlenode_code(self, fpgapart: str | None = None) -> None:
            folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
            vitis_hls.run_project(folder)
            self.set_nodeattr("ipgen_path", str(folder / f"project_{self.onnx_node.name}"))
            self.set_nodeattr("ip_path", str(vitis_hls.solution_of(folder) / "impl" / "ip"))
            self.set_nodeattr("ip_vlnv", f"bvit-hw:hls:{self.get_verilog_top_module_name()}:1.0")

        # ---------------------------------------------------------------- FINN's way to put files together

        def _whole_files(self, *_: object) -> None:
            raise LoweringError(f"{self.onnx_node.name}: its C++ is written as whole files, not key by key")

        global_includes = defines = docompute = blackboxfunction = _whole_files

    HlsAdapter.__name__ = HlsAdapter.__qualname__ = op_type + HLS_SUFFIX
    HlsAdapter.__module__ = __name__
    return HlsAdapter
