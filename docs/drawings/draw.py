"""The drawings of the pages, each for light and dark ones: `python docs/drawings/draw.py` writes them beside itself.

A drawing is a function that puts shapes on a canvas; colours come by role from the theme, so both files show the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
#: colours by role: ink and faint lines; fills of plain, first, second and third kind
THEMES = {
    "light": {"ink": "#1d2430", "faint": "#6b7688", "plain": "#f2f4f7", "one": "#cfe3ff", "two": "#ffe1bd",
              "three": "#d5f0d2"},
    "dark": {"ink": "#e3e8ef", "faint": "#97a3b4", "plain": "#232a35", "one": "#1f4674", "two": "#6b4514",
             "three": "#24562a"},
}  # fmt: skip


@dataclass
class Canvas:
    """An SVG of ``width`` x ``height`` in the colours of a theme."""

    width: int
    height: int
    theme: str
    title: str
    parts: list[str] = field(default_factory=list)

    def colour(self, role: str) -> str:
        return THEMES[self.theme][role]

    def box(self, x: float, y: float, w: float, h: float, role: str = "plain", text: str = "", size: int = 13) -> None:
        """A box, lines of text in its middle."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="3" fill="{self.colour(role)}" '
            f'stroke="{self.colour("ink")}"/>'
        )
        lines = text.split("\n") if text else []
        for n, line in enumerate(lines):
            self.text(x + w / 2, y + h / 2 + (n - (len(lines) - 1) / 2) * (size + 4) + size * 0.35, line, size)

    def text(self, x: float, y: float, text: str, size: int = 13, anchor: str = "middle", role: str = "ink") -> None:
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{self.colour(role)}">'
            f"{escape(text)}</text>"
        )

    def line(self, *points: tuple[float, float], arrow: bool = False, dashed: bool = False, role: str = "ink") -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        extra = (' marker-end="url(#arrow)"' if arrow else "") + (' stroke-dasharray="4 3"' if dashed else "")
        look = f'fill="none" stroke="{self.colour(role)}" stroke-width="1.3"'
        self.parts.append(f'<polyline points="{path}" {look}{extra}/>')

    def svg(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" role="img">\n'
            f"<title>{escape(self.title)}</title>\n"
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{self.colour("ink")}"/></marker></defs>\n'
        )
        return head + "\n".join(self.parts) + "\n</svg>\n"


def way(theme: str) -> Canvas:
    c = Canvas(860, 190, theme, "From checkpoint to board: six levels, the same integers")
    levels = (
        ("PyTorch", "trained, QAT", "plain"), ("frozen", "integers, NumPy", "one"), ("QONNX", "model.onnx", "one"),
        ("graph", "operators, folded", "one"), ("RTL", "SystemVerilog", "one"), ("board", "bitstream", "two"),
    )  # fmt: skip
    steps = ("freeze", "export", "lower, fold", "generate", "package")
    for n, (name, below, role) in enumerate(levels):
        x = 10 + 145 * n
        c.box(x, 40, 110, 52, role, f"{name}\n{below}", 12)
        if n < len(steps):
            c.line((x + 110, 66), (x + 143, 66), arrow=True)
            c.text(x + 127, 32, steps[n], 11)
    c.line((155, 110), (155, 118), (555, 118), (555, 110))
    c.line((555, 110), (555, 118), (700, 118), (700, 110))
    c.text(355, 136, "every named tensor equal, after every pass", 12)
    c.text(648, 136, "logits equal, cycles counted", 12)
    c.line((10, 110), (10, 118), (155, 118))
    c.text(82, 136, "accuracy", 12)
    c.line((735, 110), (735, 118), (845, 118), (845, 110))
    c.text(790, 136, "self-test", 12)
    c.text(790, 153, "(never run yet)", 12, role="faint")
    c.text(430, 180, "blue: the integer contract holds, bit for bit", 12, role="faint")
    return c


def stream(theme: str) -> Canvas:
    c = Canvas(860, 300, theme, "A tensor as a stream: tokens in raster order, a token in beats of lanes")
    c.text(70, 22, "grid of tokens", 12)
    for row in range(3):
        for column in range(3):
            n = 3 * row + column
            c.box(20 + 36 * column, 34 + 36 * row, 34, 34, "one" if n == 1 else "plain", str(n), 12)
    c.line((128, 52), (180, 52), arrow=True)
    c.text(270, 22, "token 1: 8 channels", 12)
    for n in range(8):
        c.box(186 + 22 * n, 40, 20, 24, ("one", "two")[n // 4], str(n), 11)
    c.text(270, 92, "pe = 4 lanes: two beats", 12)
    c.line((228, 66), (228, 78), role="faint")
    c.line((316, 66), (316, 78), role="faint")
    top, step, left = 150, 52, 100
    names = ("clk", "tvalid", "tready", "tdata")
    for n, name in enumerate(names):
        c.text(left - 14, top + 34 * n + 14, name, 12, "end")
    # one cycle a column: is a beat offered, is it taken, which
    cycles = ((1, 1, "0.a"), (1, 1, "0.b"), (1, 0, "1.a"), (1, 0, "1.a"), (1, 1, "1.a"), (0, 1, ""), (1, 1, "1.b"),
              (1, 1, "2.a"), (1, 1, "2.b"), (0, 1, ""), (0, 1, ""), (1, 1, "3.a"))  # fmt: skip
    clock, waves = [], {1: [], 2: []}
    for n, (valid, ready, data) in enumerate(cycles):
        x = left + step * n
        clock += [(x, top + 18), (x, top), (x + step / 2, top), (x + step / 2, top + 18)]
        for row, level in ((1, valid), (2, ready)):
            y = top + 34 * row + (0 if level else 18)
            waves[row] += [(x, y), (x + step, y)]
        if valid:
            token = data[0] == "1"
            role = ("one" if data.endswith("a") else "two") if token else "plain"
            c.box(x + 1, top + 34 * 3, step - 2, 20, role, data, 11)
        if valid and ready:
            c.line((x + step - 3, top + 126), (x + step - 3, top + 134), role="faint")
            c.text(x + step / 2, top + 144, "taken", 10, role="faint")
    clock.append((left + step * len(cycles), top + 18))
    for points in (clock, waves[1], waves[2]):
        c.line(*points)
    c.text(620, 52, "A beat moves where valid and ready are high.", 12)
    c.text(620, 72, "An offered beat stays until it is taken.", 12)
    c.text(620, 92, "No TLAST inside: each operator counts.", 12)
    return c


def folding(theme: str) -> Canvas:
    c = Canvas(860, 250, theme, "Folding: how much of a matrix works in one cycle")

    def matrix(x: float, pe: int, simd: int, label: str, below: str) -> None:
        for row in range(8):
            for column in range(8):
                c.box(x + 16 * column, 40 + 16 * row, 16, 16, "one" if row < pe and column < simd else "plain")
        c.text(x + 64, 28, label, 12)
        c.text(x + 64, 190, below, 12)

    matrix(30, 1, 1, "pe 1, simd 1", "64 cycles a token")
    matrix(200, 2, 4, "pe 2, simd 4", "8 cycles a token")
    matrix(370, 8, 8, "pe 8, simd 8", "1 cycle a token")
    c.text(264, 215, "rows: output channels, pe at once; columns: input channels, simd at once", 12, role="faint")
    c.text(690, 28, "a pipeline is as fast as its slowest operator", 12)
    heights = ((1024, "one"), (1024, "one"), (256, "one"), (1024, "one"), (512, "one"), (768, "one"))
    c.line((560, 62), (840, 62), dashed=True)
    c.text(846, 54, "T = 1,024", 11, "end")
    for n, (cycles, role) in enumerate(heights):
        height = cycles / 1024 * 106
        c.box(568 + 45 * n, 168 - height, 32, height, role)
    c.line((560, 168), (840, 168))
    c.text(700, 190, "cycles a frame of each operator", 12)
    c.text(690, 215, "fast enough for T, and no faster: that saves area", 12, role="faint")
    return c


def architectures(theme: str) -> Canvas:
    c = Canvas(860, 330, theme, "Two architectures: an operator's own hardware each, or one engine for all of them")
    c.text(215, 24, "streaming accelerator", 15)
    c.box(20, 40, 390, 230, "plain")
    names = ("stem", "binarize", "matrix", "affine", "attention", "matrix", "affine", "head")
    for n, name in enumerate(names):
        row, column = divmod(n, 4)
        c.box(36 + 92 * column, 66 + 88 * row, 74, 44, "one", name, 12)
        if column < 3:
            c.line((110 + 92 * column, 88 + 88 * row), (126 + 92 * column, 88 + 88 * row), arrow=True)
    c.line((349, 110), (349, 128), (73, 128), (73, 152), arrow=True)
    c.text(215, 228, "each operator has its own multipliers, memories and weights", 11)
    c.text(215, 248, "all work at once, on neighbouring parts of pictures", 11)
    c.line((2, 88), (34, 88), arrow=True)
    c.line((386, 176), (428, 176), arrow=True)
    c.text(215, 294, "hardware for one network: fast, as large as the network", 12)
    c.text(215, 314, "another network: another build", 12, role="faint")

    c.text(650, 24, "single engine", 15)
    c.box(460, 40, 380, 230, "plain")
    c.box(480, 70, 88, 176, "two", "DRAM\n\ncommands\nparameters\npictures\nlogits", 12)
    c.box(640, 70, 180, 44, "one", "matrix unit", 12)
    c.box(640, 136, 180, 44, "one", "vector unit, row rule", 12)
    c.box(640, 202, 180, 44, "three", "memories of bits, values,\nweights, parameters", 11)
    c.line((730, 114), (730, 134), arrow=True)
    c.line((700, 180), (700, 200), arrow=True)
    c.line((760, 202), (760, 182), arrow=True)
    c.line((568, 214), (638, 214), arrow=True)
    c.line((640, 234), (570, 234), arrow=True)
    c.text(604, 206, "LOAD", 10)
    c.text(604, 250, "STORE", 10)
    c.line((568, 92), (638, 92), arrow=True)
    c.text(604, 84, "commands", 10)
    c.text(650, 294, "hardware for one board: small, one command after another", 12)
    c.text(650, 314, "another network: another programme, the same bitstream", 12, role="faint")
    return c


def waiting(theme: str) -> Canvas:
    c = Canvas(860, 210, theme, "Where streams part and join again, the early one waits in a FIFO")
    c.box(20, 80, 90, 44, "one", "norm", 12)
    c.box(150, 80, 70, 44, "plain", "fork", 12)
    c.line((110, 102), (148, 102), arrow=True)
    c.line((220, 102), (262, 102), arrow=True)
    c.line((185, 80), (185, 40), (262, 40), arrow=True)
    c.line((185, 124), (185, 168), (262, 168), arrow=True)
    c.box(264, 20, 110, 40, "one", "keys, values", 12)
    c.box(264, 82, 110, 40, "one", "queries", 12)
    c.line((374, 40), (560, 40), (560, 66), arrow=True)
    c.line((374, 102), (410, 102), arrow=True)
    c.box(412, 84, 92, 36, "two", "FIFO", 12)
    c.line((504, 102), (518, 102), arrow=True)
    c.box(520, 68, 110, 68, "one", "attention", 12)
    c.box(264, 150, 366, 36, "two", "FIFO: x itself, for the residual sum, longer still", 12)
    c.line((630, 102), (680, 102), arrow=True)
    c.line((630, 168), (712, 168), (712, 126), arrow=True)
    c.box(682, 80, 60, 44, "one", "+", 15)
    c.line((742, 102), (800, 102), arrow=True)
    c.text(690, 30, "Attention takes queries only when all keys", 12)
    c.text(690, 48, "and values of the picture are in.", 12)
    return c


DRAWINGS = {d.__name__: d for d in (way, stream, folding, architectures, waiting)}


def drawings() -> dict[str, str]:
    """File names and their contents."""
    return {f"{name}-{theme}.svg": draw(theme).svg() for name, draw in DRAWINGS.items() for theme in THEMES}


if __name__ == "__main__":
    for name, text in drawings().items():
        (HERE / name).write_text(text)
