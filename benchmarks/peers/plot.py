"""A bar chart with a logarithmic scale as SVG, drawn by hand: one panel for each workload."""

from __future__ import annotations

import math
from html import escape

WIDTH, LABEL, VALUE, BAR, GAP, TITLE, MARGIN = 860, 150, 90, 16, 6, 34, 20
OURS, FLOOR, PEER, INK, QUIET, PAPER = "#b3261e", "#9aa0a6", "#4a6fa5", "#1f1f1f", "#5f6368", "#ffffff"


def _text(x: float, y: float, words: str, *, size: int = 12, fill: str = INK, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def _colour(name: str) -> str:
    return OURS if name == "brrtrouter" else FLOOR if name.startswith("floor") else PEER


def _panel(title: str, values: dict[str, float], top: float, scale: tuple[float, float]) -> list[str]:
    low, high = scale
    room = WIDTH - 2 * MARGIN - LABEL - VALUE
    left = MARGIN + LABEL
    height = len(values) * (BAR + GAP)
    parts = [_text(MARGIN, top + 18, title, size=14)]
    for power in range(math.ceil(low), math.floor(high) + 1):
        x = left + (power - low) / (high - low) * room
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top + TITLE - 4}" y2="{top + TITLE + height}" stroke="#dadce0"/>'
        )
    for row, (name, value) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        y = top + TITLE + row * (BAR + GAP)
        length = (math.log10(value) - low) / (high - low) * room
        parts.append(_text(left - 8, y + BAR - 4, name, anchor="end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{_colour(name)}"/>')
        parts.append(_text(left + length + 6, y + BAR - 4, f"{value:,.0f} ns", fill=QUIET))
    return parts


def bars(panels: list[tuple[str, dict[str, float]]]) -> str:
    """The SVG of panels (title, nanoseconds by engine); all share one scale, from 10 ns on."""
    highest = max(value for _, values in panels for value in values.values())
    scale = (1.0, math.log10(highest))
    parts: list[str] = []
    top = float(MARGIN)
    for title, values in panels:
        parts += _panel(title, values, top, scale)
        top += TITLE + len(values) * (BAR + GAP) + MARGIN
    note = "Nanoseconds per match, logarithmic: each vertical line is ten times the one before. Shorter is faster."
    parts.append(_text(MARGIN, top + 10, note, fill=QUIET))
    size = f'width="{WIDTH}" height="{top + 30:.0f}" viewBox="0 0 {WIDTH} {top + 30:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif">'
    return "\n".join([head, f'<rect width="100%" height="100%" fill="{PAPER}"/>', *parts, "</svg>\n"])
