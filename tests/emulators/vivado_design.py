"""The block design of the emulated Vivado: cells, connections, addresses."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from pathlib import Path

from tests.emulators.vivado_catalogue import CATALOGUE, Interface, Ip, Pin, Segment
from tests.emulators.vivado_packaging import VivadoPackaging


class VivadoDesign(VivadoPackaging):
    """The commands on block designs, and what a cell is as it is configured."""

    # Cells

    def cmd_create_bd_design(self, name: str) -> None:
        self._need_project()
        self.done.append("design")

    def cmd_get_ipdefs(self, pattern: str) -> list[str]:
        known = [f"xilinx.com:ip:{n}:{ip.versions[self.release]}" for n, ip in CATALOGUE.items() if ip.versions]
        return [name for name in known if fnmatch.fnmatch(name, pattern)]

    def cmd_create_bd_cell(self, *words: str) -> str:
        kind, _, option, vlnv, name = words
        if (kind, option) != ("-type", "-vlnv") or "design" not in self.done:
            raise ValueError(f"create_bd_cell: {words}")
        if name in self.cells:
            raise ValueError(f"cell {name} exists already")
        if vlnv in self.cmd_get_ipdefs("*"):
            self.cells[name] = vlnv.split(":")[2]
        elif self.component and vlnv == self.component.name and self._in_repository():
            self.cells[name] = vlnv
        else:
            raise ValueError(f"unknown IP {vlnv}")
        self.parameters[name] = {n: default for n, (default, _) in self.ip(name).parameters.items()}
        self.parameters[name]["_DDR"] = str(self.ddr_gib)
        return f"/{name}"

    def _in_repository(self) -> bool:
        folders = self.properties["project"].get("ip_repo_paths", "")
        return Path(folders).name == "ip" and "catalogue" in self.done and "saved" in self._component().finished

    def ip(self, cell: str) -> Ip:
        """The IP that a cell is an instance of."""
        kind = self.cells[cell]
        return CATALOGUE[kind] if kind in CATALOGUE else self._component().ip()

    def pins(self, cell: str) -> dict[str, Pin]:
        """The pins that a cell has as it is configured."""
        return self.ip(cell).pins(self.parameters[cell])

    def interfaces(self, cell: str) -> dict[str, Interface]:
        """The bus interfaces that a cell has as it is configured."""
        return self.ip(cell).interfaces(self.parameters[cell])

    def cmd_apply_bd_automation(self, *words: str) -> None:
        rule_flag, rule, config_flag, config, cell = words
        name = cell.removeprefix("/")
        ip = self.ip(name)
        flat = [str(word) for word in self.tcl.splitlist(config)]
        options = dict(zip(flat[::2], flat[1::2], strict=True))
        if (rule_flag, config_flag) != ("-rule", "-config") or rule != ip.rule or not rule:
            raise ValueError(f"{cell}: no rule {rule}")
        if options["apply_board_preset"] == "1":
            if "board_part" not in self.properties["project"]:
                raise ValueError("no board is set, so it has no preset")
            self.parameters[name].update(ip.preset)
            self.done.append("preset")
        if "make_external" in options:
            self.external |= {f"{name}/{port.strip()}" for port in options["make_external"].split(",")}

    # Connections

    def _found(self, path: str, names: Callable[[str], object]) -> str:
        cell, _, name = path.strip("/").partition("/")
        return f"/{cell}/{name}" if cell in self.cells and name in names(cell) else ""  # type: ignore[operator]

    def cmd_get_bd_intf_pins(self, flag: str, path: str) -> str:
        return self._found(path, self.interfaces)

    def cmd_get_bd_pins(self, flag: str, path: str) -> str:
        return self._found(path, self.pins)

    def cmd_connect_bd_intf_net(self, a: str, b: str) -> None:
        ends = [self._interface(path) for path in (a, b)]
        if ends[0].master == ends[1].master or ends[0].protocol != ends[1].protocol:
            raise ValueError(f"{a} and {b} do not go together")
        for pin in (a, b):
            if any(pin in net for net in self.interface_nets):
                raise ValueError(f"{pin} is connected already")
        self.interface_nets.append((a, b) if ends[0].master else (b, a))

    def _interface(self, path: str) -> Interface:
        cell, name = path.strip("/").split("/", 1)
        return self.interfaces(cell)[name]

    def _pin(self, path: str) -> Pin:
        cell, name = path.strip("/").split("/", 1)
        return self.pins(cell)[name]

    def cmd_connect_bd_net(self, *pins: str) -> None:
        if not pins or "" in pins or len(set(pins)) != len(pins):
            raise ValueError(f"connect_bd_net: {pins}")
        joined = set(pins)
        for net in [net for net in self.nets if net & joined]:
            joined |= net
            self.nets.remove(net)
        if sum(self._pin(pin).out for pin in joined) > 1:
            raise ValueError(f"several drivers: {sorted(joined)}")
        self.nets.append(joined)

    # Addresses

    def spaces(self, cell: str) -> dict[str, tuple[str, list[tuple[int, int]]]]:
        """Address spaces of a cell's masters: master interface and reachable ranges."""
        return self.ip(cell).spaces(self.parameters[cell])

    def segments(self, cell: str) -> dict[str, Segment]:
        """Address segments of a cell's slaves."""
        return {s.name: s for s in self.ip(cell).segments(self.parameters[cell])}

    def cmd_get_bd_addr_spaces(self, flag: str, path: str) -> str:
        return self._found(path, self.spaces)

    def cmd_get_bd_addr_segs(self, flag: str, path: str) -> list[str]:
        cell, _, pattern = path.strip("/").partition("/")
        names = self.segments(cell) if cell in self.cells else {}
        # a star does not reach across a slash
        return [f"/{cell}/{n}" for n in names if n.count("/") == pattern.count("/") and fnmatch.fnmatchcase(n, pattern)]

    def cmd_assign_bd_address(self, *words: str) -> None:
        options = dict(zip(words[0:-1:2], words[1:-1:2], strict=True))
        if set(options) != {"-offset", "-range", "-target_address_space"}:
            raise ValueError(f"assign_bd_address: {words}")
        size = options["-range"]
        scale = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[size[-1]]
        space, start, length = options["-target_address_space"], int(options["-offset"], 0), int(size[:-1]) * scale
        if any(s == space and seg == words[-1] for s, seg, _, _ in self.addresses):
            raise ValueError(f"{words[-1]} is assigned already in {space}")
        for _, other, start2, length2 in [entry for entry in self.addresses if entry[0] == space]:
            if start < start2 + length2 and start2 < start + length:
                raise ValueError(f"{words[-1]} at {start:#x} overlaps {other} at {start2:#x}")
        self.addresses.append((space, words[-1], start, length))

    def cmd_exclude_bd_addr_seg(self, flag: str, space: str, segment: str) -> None:
        assert flag == "-target_address_space"
        self.excluded.add((space, segment))
