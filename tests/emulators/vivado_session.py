"""The emulated Vivado as a Tcl interpreter with a project: files, properties, runs and reports."""

from __future__ import annotations

import fnmatch
import re
import tkinter
from collections.abc import Callable
from pathlib import Path

from tests.emulators.vivado_catalogue import CATALOGUE, legal
from tests.emulators.vivado_component import Component

STATISTICS = {"WNS": "0.412", "WHS": "0.018", "TPWS": "0.000"}
#: properties that objects other than cells have
_PROPERTIES = {
    "project": {"board_part", "ip_repo_paths"},
    "fileset": {"top"},
    "file": {"file_type"},
    "run": {"STEPS.PHYS_OPT_DESIGN.IS_ENABLED", "STEPS.POST_ROUTE_PHYS_OPT_DESIGN.IS_ENABLED"},
    "core": {
        *("name", "version", "display_name", "description", "supported_families"),
        *("sdx_kernel", "sdx_kernel_type", "vitis_drc", "ipi_drc"),
    },
    "parameter": {"value"},
    "bus": {"slave_memory_map_ref"},
    "block": {"name", "range", "usage"},
}


class EmulatedError(Exception):
    """What Vivado would have answered with an error."""


class VivadoSession:
    """State of the emulation, the commands that are no packager's and no block design's; see VivadoEmulation."""

    def __init__(
        self,
        release: str = "2022.2",
        boards: tuple[str, ...] = (),
        ddr_gib: int = 2,
        *,
        maps_inferred: bool = True,
    ) -> None:
        self.tcl = tkinter.Tcl()
        self.release, self.installed, self.ddr_gib = release, boards, ddr_gib
        self.maps: set[str] = {"map:s_axil", "block:reg0", "referred", "reset"} if maps_inferred else set()
        self.said: list[str] = []
        self.statistics = dict(STATISTICS)
        self.refusal = ""
        self.projects: list[str] = []
        self.folder = Path()
        self.properties: dict[str, dict[str, str]] = {}
        self.files: list[Path] = []
        self.component: Component | None = None
        self.kernels: dict[str, dict[str, str]] = {}
        self.cells: dict[str, str] = {}
        self.parameters: dict[str, dict[str, str]] = {}
        self.external: set[str] = set()
        self.interface_nets: list[tuple[str, str]] = []
        self.nets: list[set[str]] = []
        self.addresses: list[tuple[str, str, int, int]] = []
        self.excluded: set[tuple[str, str]] = set()
        self.done: list[str] = []
        for name in dir(self):
            if name.startswith("cmd_"):
                words = name[4:].split("__")
                if len(words) > 1:
                    self.tcl.eval(f"namespace eval {words[0]} {{}}")
                self.tcl.createcommand("::".join(words), self._guard(getattr(self, name)))

    def _guard(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(*words: object) -> object:
            try:
                result = function(*map(str, words))
            except (EmulatedError, AssertionError, LookupError, TypeError, ValueError) as error:
                # Tcl forgets what a command raised; an assertion here, or arguments that a command does not take, are
                # as good as any refusal.
                self.refusal = f"{function.__name__.removeprefix('cmd_')}: {error!r}"
                raise
            return "" if result is None else tuple(result) if isinstance(result, list) else result

        return call

    def run(self, script: Path) -> None:
        """Source the script; whatever goes wrong in it is raised as an EmulatedError."""
        try:
            self.tcl.eval(f"source {{{script}}}")
        except tkinter.TclError as error:
            raise EmulatedError(f"{script.name}: {error} {self.refusal}") from error

    def cmd_puts(self, *words: str) -> None:
        self.said.append(words[-1])

    # Projects and files

    def cmd_version(self, flag: str) -> str:
        assert flag == "-short"
        return self.release

    def cmd_create_project(self, *words: str) -> None:
        force, name, folder, option, part = words
        if (force, option) != ("-force", "-part") or not re.fullmatch(r"x[cq]\w+-[\w-]+|xc7z020clg400-1", part):
            raise ValueError(f"create_project: {words}")
        self.projects.append(name)
        self.folder = Path(folder)
        self.files = []
        self.done = []
        self.properties = {"project": {}, "fileset": {}}

    def cmd_close_project(self) -> None:
        self._need_project()
        self.done.append("closed")

    def _need_project(self) -> None:
        if not self.projects:
            raise ValueError("no open project")

    def cmd_current_project(self) -> str:
        return "project"

    def cmd_current_fileset(self) -> str:
        return "fileset"

    def cmd_add_files(self, flag: str, file: str) -> None:
        self._need_project()
        if flag != "-norecurse" or not Path(file).is_file():
            raise FileNotFoundError(file)
        if Path(file) in self.files:
            raise ValueError(f"{file} is added twice")
        self.files.append(Path(file))

    def cmd_get_files(self, name: str) -> str:
        if name == "system.bd" and "saved" in self.done:
            return f"file:{name}"
        return f"file:{name}" if Path(name) in self.files else ""

    def cmd_update_compile_order(self, flag: str, fileset: str) -> None:
        if (flag, fileset) != ("-fileset", "sources_1"):
            raise ValueError(fileset)
        self.done.append("ordered")

    def cmd_get_board_parts(self, flag: str, pattern: str) -> list[str]:
        assert flag == "-quiet"
        return [name for name in self.installed if fnmatch.fnmatch(name, pattern)]

    def cmd_update_ip_catalog(self, flag: str) -> None:
        assert flag == "-rebuild"
        self.done.append("catalogue")

    def cmd_set_property(self, *words: str) -> None:
        if words[0] == "-dict":
            flat = [str(word) for word in self.tcl.splitlist(words[1])]
            pairs, target = list(zip(flat[::2], flat[1::2], strict=True)), words[2]
        else:
            name, value, target = words
            pairs = [(name, value)]
        for name, value in pairs:
            self._set(target, name, value)

    def _set(self, target: str, name: str, value: str) -> None:
        kind, _, which = target.partition(":")
        if target.startswith("/"):
            cell = target[1:]
            ip, short = CATALOGUE[self.cells[cell]], name.removeprefix("CONFIG.")
            if not name.startswith("CONFIG.") or not legal(ip, short, value):
                raise ValueError(f"{self.cells[cell]}: no property {name} that takes '{value}'")
            self.parameters[cell][short] = value
            return
        if name not in _PROPERTIES.get(kind, ()):
            raise ValueError(f"'{target}' has no property {name}")
        if kind == "project" and name == "board_part" and value not in self.installed:
            raise ValueError(f"board_part {value} is not installed")
        component = self.component
        if kind == "core":
            assert component
            if name in ("name", "version"):
                component.vlnv[{"name": 2, "version": 3}[name]] = value
            component.properties[name] = value
        elif kind == "parameter":
            assert component
            component.polarity = value
        elif kind == "block":
            assert component
            component.block[name] = value
        elif kind == "bus":
            if f"map:{value}" not in self.maps:
                raise ValueError(f"no memory map {value}")
            self.maps.add("referred")
        else:
            self.properties.setdefault(kind if not which else target, {})[name] = value

    def cmd_get_property(self, name: str, target: str) -> str:
        kind, _, run = target.partition(":")
        if kind == "run" and name in ("PROGRESS", "STATUS"):
            return {"PROGRESS": "100%", "STATUS": f"{run} Complete!"}[name] if run in self.done else "0%"
        if kind == "run" and name.startswith("STATS.") and "impl_1" in self.done:
            return self.statistics[name.removeprefix("STATS.")]
        raise ValueError(f"{target}: no property {name}")

    # Implementation

    def cmd_validate_bd_design(self) -> None:
        self.done.append("validated")

    def cmd_save_bd_design(self) -> None:
        self.done.append("saved")

    def cmd_make_wrapper(self, *words: str) -> None:
        self.done = [step for step in self.done if step != "ordered"]  # there is a new source now
        if words != ("-files", "file:system.bd", "-top", "-import"):
            raise ValueError(f"make_wrapper: {words}")
        self.done.append("system_wrapper")

    def cmd_launch_runs(self, run: str, *words: str) -> None:
        if self.properties["fileset"].get("top") not in self.done:
            raise ValueError(f"top {self.properties['fileset'].get('top')} is not in the project")
        options = dict(zip(words[0::2], words[1::2], strict=True))
        needed = {"synth_1": {"-jobs"}, "impl_1": {"-jobs", "-to_step"}}[run]
        if set(options) != needed or not options["-jobs"].isdigit():
            raise ValueError(f"launch_runs {run}: {words}")
        if run == "impl_1":
            if options["-to_step"] != "write_bitstream" or "synth_1" not in self.done:
                raise ValueError(f"launch_runs {run}: {words}, after {self.done}")
            bit = self.folder / "bvit_hw.runs/impl_1/system_wrapper.bit"
            handoff = self.folder / "bvit_hw.gen/sources_1/bd/system/hw_handoff/system.hwh"
            for file, text in ((bit, "bit"), (handoff, "<hwh/>")):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        self.done.append(f"launched {run}")

    def cmd_wait_on_run(self, run: str) -> None:
        if f"launched {run}" in self.done:
            self.done.append(run)

    def cmd_get_runs(self, run: str) -> str:
        return f"run:{run}" if run in ("synth_1", "impl_1") else ""

    def cmd_open_run(self, run: str) -> None:
        if run not in self.done:
            raise ValueError(f"run {run} has not been run")
        self.done.append("opened")

    def _report(self, *words: str) -> None:
        if "opened" not in self.done or words[0] != "-file":
            raise ValueError(f"report: {words}")
        sample = Path(words[1]).name.replace("utilization", "utilization_zynq")
        Path(words[1]).write_text((Path(__file__).parent / "vendor_reports" / sample).read_text())

    def cmd_report_utilization(self, *words: str) -> None:
        self._report(*words)
        if words[2:] != ("-hierarchical",):
            raise ValueError(f"report_utilization: {words}")

    def cmd_report_timing_summary(self, *words: str) -> None:
        self._report(*words)

    def cmd_report_power(self, *words: str) -> None:
        self._report(*words)
