"""explore.html: the front, parallel coordinates and all points on one page, which fetches nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from bvit_hw.disk import write_aside
from bvit_hw.explore.front import Found, Row
from bvit_hw.pipeline.architecture import STREAMING
from bvit_hw.templates import templates

_TEMPLATES = templates("bvit_hw.explore", html=True)
_COLOURS = ("#1f6feb", "#d9822b", "#2d7d46", "#8250df", "#c0362c", "#0e7490", "#b45309", "#be185d", "#4d7c0f",
            "#334155", "#a16207", "#0369a1")  # fmt: skip
#: objectives and choices that have columns of their own in every table
_SHOWN = ("rate", "lut", "ff", "bram18", "dsp", "board", "architecture")
#: diameters of the smallest and the largest point
_LEAST, _MOST = 8.0, 34.0


def write_found(found: Found, folder: Path) -> Path:
    """Write explore.json and explore.html; the page's path."""
    write_aside(folder / "explore.json", json.dumps(found.as_json(), indent=1))
    page = folder / "explore.html"
    write_aside(page, page_text(found))
    return page


def page_text(found: Found) -> str:
    """The page, Plotly's own script within it."""
    axes = [name for name in dict.fromkeys(name for row in found.rows for name in row.choices) if name not in _SHOWN]
    return _TEMPLATES.get_template("explore.html.j2").render(
        found=found,
        axes=axes,
        shown=_SHOWN,
        plotly=get_plotlyjs(),
        front=_html(_front(found), "front") if found.rows else "",
        parallel=_html(_parallel(found), "parallel") if found.rows else "",
    )


def _html(figure: go.Figure, name: str) -> str:
    config = {"displaylogo": False, "responsive": True}
    return str(figure.to_html(include_plotlyjs=False, full_html=False, div_id=name, config=config))


def _front(found: Found) -> go.Figure:
    """Accuracy, or the first objective but the rate, over frames/s; size for LUTs, colour for the board."""
    others = [o for o in found.objectives if o.name != "rate"]
    up = next((o for o in others if o.name == "accuracy"), others[0])
    most = max(row.point.lut for row in found.rows)
    boards = list(dict.fromkeys(row.point.board for row in found.rows))
    figure = go.Figure()
    for number, board in enumerate(boards):
        for on_front in (True, False):
            rows = [row for row in found.rows if row.point.board == board and row.front is on_front]
            if not rows:
                continue
            colour = _COLOURS[number % len(_COLOURS)]
            figure.add_trace(
                go.Scatter(
                    x=[row.point.rate for row in rows],
                    y=[row.values[up.name] for row in rows],
                    mode="markers",
                    name=f"{board}, front" if on_front else board,
                    marker={
                        "size": [_LEAST + (_MOST - _LEAST) * (row.point.lut / most) ** 0.5 for row in rows],
                        "color": colour,
                        "symbol": ["circle" if row.point.architecture == STREAMING else "diamond" for row in rows],
                        "opacity": 0.9 if on_front else 0.3,
                        "line": {"width": 2 if on_front else 0, "color": "#1c2430"},
                    },
                    text=[_hover(row) for row in rows],
                    customdata=[row.number for row in rows],
                    hovertemplate="%{text}<extra></extra>",
                )
            )
    figure.update_layout(
        template="plotly_white",
        height=560,
        margin={"l": 70, "r": 20, "t": 20, "b": 60},
        legend={"itemsizing": "constant"},
    )
    figure.update_xaxes(type="log", title="frames/s at the assumed clock")
    figure.update_yaxes(title=up.title, tickformat=".1%" if up.name == "accuracy" else ",", rangemode="normal")
    if up.name != "accuracy":
        figure.update_yaxes(type="log")
    return figure


def _hover(row: Row) -> str:
    p = row.point
    accuracy = "not trained" if row.accuracy is None else f"{row.accuracy:.2%} ({row.training}, {row.epochs} epochs)"
    chosen = "<br>".join(f"{name}: {value}" for name, value in row.choices.items())
    return (
        f"<b>trial {row.number}</b>, {p.place}<br>{p.rate:,.0f} frames/s, accuracy {accuracy}<br>"
        f"{p.lut:,.0f} LUT, {p.bram18:,.0f} BRAM18, {p.dsp:,.0f} DSP<br>{chosen}"
    )


def _parallel(found: Found) -> go.Figure:
    """A line a point through all that was chosen and all that was found."""
    dimensions: list[dict[str, Any]] = []
    for name in dict.fromkeys(name for row in found.rows for name in row.choices):
        given = [row.choices.get(name, "none") for row in found.rows]
        texts = sorted({str(value) for value in given}, key=_natural)
        if len(texts) > 1:
            dimensions.append(
                {
                    "label": name,
                    "values": [texts.index(str(value)) for value in given],
                    "tickvals": list(range(len(texts))),
                    "ticktext": texts,
                }
            )
    dimensions += [
        {"label": objective.name, "values": [row.values[objective.name] for row in found.rows]}
        for objective in found.objectives
    ]
    first = found.objectives[0]
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={
                "color": [row.values[first.name] for row in found.rows],
                "colorscale": "Viridis",
                "showscale": True,
                "colorbar": {"title": first.name},
            },
        )
    )
    figure.update_layout(template="plotly_white", height=440, margin={"l": 90, "r": 40, "t": 60, "b": 30})
    return figure


def _natural(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), ""
    except ValueError:
        return 1, 0.0, text
