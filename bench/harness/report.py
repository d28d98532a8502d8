"""The figures as Markdown, and the plot of how costs grow."""

from __future__ import annotations

import datetime
import math
from pathlib import Path

from core import TITLES
from figures import Row
from place import ROOT, machine

PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance-scale.svg"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def row_table(row: Row) -> list[str]:
    lines = [f"### {row.title}", "", f"| | median{', ' + row.unit if row.unit else ''} | spread | dubhook is |", "| --- | ---: | ---: | ---: |"]
    for side in row.figures:
        compare = side != "dubhook" and "dubhook" in row.figures
        ratio = f"{row.ratio('dubhook', side):.2f} ×" if compare else ""
        spread = f"{row.spread(side):.0%}" if len(row.figures[side]) > 1 else ""
        lines.append(f"| {side} | {number(row.median(side))} | {spread} | {ratio} |")
    if "dubhook" not in row.figures:
        lines = [line.replace(" dubhook is |", "").replace(" ---: |", "", 1) if i in (2, 3) else line.removesuffix("  |") for i, line in enumerate(lines)]
    lines.append("")
    for goal in row.goals:
        kind = "at least" if goal.at_least else "at most"
        lines.append(f"- {kind} {goal.text}: {'reached' if goal.reached else '**not reached**'} ({number(goal.value)})")
    return lines + (["", row.note] if row.note else []) + [""]


def core_tables(paths: dict[str, float], scale: dict[str, list[tuple[int, float]]]) -> list[str]:
    lines = ["### The core alone", "", "| path | ns |", "| --- | ---: |"]
    lines += [f"| {TITLES[name]} | {ns:,.0f} |" for name, ns in paths.items()]
    lines += ["", "### How costs grow", "", f"![time by number of jobs and endpoints]({PLOT.name})", ""]
    lines += ["| | " + " | ".join(f"10{'⁰¹²³⁴⁵⁶'[e]}" for e in range(7)) + " |", "| --- |" + " ---: |" * 7]
    for name, points in scale.items():
        known = {round(math.log10(n)): ns for n, ns in points}
        lines.append(f"| {name}, ns | " + " | ".join(f"{known[e]:,.0f}" if e in known else "" for e in range(7)) + " |")
    return [*lines, ""]


def plot(scale: dict[str, list[tuple[int, float]]]) -> str:
    """Curves over powers of ten, from zero up, so that flat looks flat."""
    width, height, left, bottom = 720, 360, 60, 40
    top = max(ns for points in scale.values() for _, ns in points) * 1.1
    x = lambda n: left + (width - left - 20) * math.log10(n) / 6  # noqa: E731
    y = lambda ns: (height - bottom) * (1 - ns / top) + 10  # noqa: E731
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + 20}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height + 20}" fill="white"/>',
    ]
    for exponent in range(7):
        parts.append(f'<text x="{x(10**exponent):.0f}" y="{height - 8}" text-anchor="middle">{10**exponent:,}</text>')
    step = 10 ** math.floor(math.log10(top / 2))
    for tick in range(0, int(top / step) + 1):
        at = y(tick * step)
        parts.append(f'<line x1="{left}" y1="{at:.0f}" x2="{width - 20}" y2="{at:.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.0f}" text-anchor="end">{tick * step / 1_000:g} µs</text>')
    for place, (color, (name, points)) in enumerate(zip(("#0b6", "#06c", "#c40"), scale.items(), strict=True)):
        line = " ".join(f"{x(n):.1f},{y(ns):.1f}" for n, ns in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(n):.1f}" cy="{y(ns):.1f}" r="3" fill="{color}"/>' for n, ns in points]
        parts.append(f'<text x="{left + 12 + 220 * place}" y="{height + 12}" fill="{color}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def figures_text(rows: list[Row], core: list[str], rounds: int) -> str:
    today = datetime.datetime.now(datetime.UTC).date()
    lines = [f"Measured on {today}, {rounds} rounds, the sides in turn in each; the server on one core, the load on another.", ""]
    lines += ["| | |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in machine()), ""]
    for row in rows:
        lines += row_table(row)
    return "\n".join([*lines, *core]).rstrip() + "\n"


def write(text: str, page: Path = PAGE) -> None:
    """Puts the figures between their marks."""
    before, found, rest = page.read_text().partition(BEGIN)
    if not found or END not in rest:
        raise SystemExit(f"{page}: the marks are missing")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")
