# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two pictures of docs/performance.md, as SVG text."""

import math
from html import escape

from measure import show

INK, GREY, LINE, PAPER = "#1f2328", "#59636e", "#d1d9e0", "#ffffff"
GOOD, BAD = "#1a7f64", "#c2410c"
FONT = "font-family=\"system-ui,'DejaVu Sans',sans-serif\""


def text(x, y, words, size=12, fill=INK, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"'
            f' font-weight="{weight}">{escape(words)}</text>')


def rule(x1, y1, x2, y2, stroke=LINE, width=1.0, dash=""):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"'
            f' stroke-width="{width}"{dashes}/>')


def picture(width, height, parts, title):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" {FONT}>', f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>', *parts, "</svg>", ""])


def margins(row):
    """How many times better than its target: median, worst, best."""
    word, bound = row.target
    ratios = [row.ratio, min(row.ratios), max(row.ratios)]
    if word == "at least":
        return [ratio / bound for ratio in ratios]
    middle, best, worst = [bound / max(ratio, 1e-3) for ratio in ratios]
    return [middle, worst, best]


def targets(rows):
    """A bar for each row with a target: how many times better than it, the spread as a whisker."""
    rows = [row for row in rows if row.target]
    left, right, top, step = 420, 130, 62, 26
    width, height = 1000, top + step * len(rows) + 44
    span = width - left - right
    values = [value for row in rows for value in margins(row)]
    low, high = min(0.5, *values), max(2.0, *values)
    low, high = math.log10(low) - 0.05, math.log10(high) + 0.05

    def x(value):
        return left + span * (math.log10(value) - low) / (high - low)
    parts = [text(20, 28, "How far each figure is from its target", 17, weight="bold"),
             text(20, 47, "1 = the target just met, further right is better; median of the rounds,"
                  " thin line: worst and best round", 12, GREY)]
    bottom = top + step * len(rows)
    for power in range(math.ceil(low), math.floor(high) + 1):
        for digit in (1, 2, 5):
            value = digit * 10.0 ** power
            if low <= math.log10(value) <= high:
                parts += [rule(x(value), top - 4, x(value), bottom),
                          text(x(value), bottom + 16, f"{value:g}×", 11, GREY, "middle")]
    for i, row in enumerate(rows):
        y = top + step * i + step / 2
        middle, worst, best = margins(row)
        colour = GOOD if row.met else BAD
        a, b = sorted((x(1), x(middle)))
        parts += [text(left - 10, y + 4, f"{row.name} · {row.peer}"[:70], 11.5, INK, "end"),
                  f'<rect x="{a:.1f}" y="{y - 7:.1f}" width="{max(b - a, 1.5):.1f}" height="14" fill="{colour}"/>',
                  rule(x(worst), y, x(best), y, INK, 1.2),
                  text(width - right + 10, y + 4, f"{middle:.2f}×" + ("" if row.met else "  missed"), 11.5,
                       INK if row.met else BAD, weight="normal" if row.met else "bold")]
    parts.append(rule(x(1), top - 8, x(1), bottom, INK, 1.5))
    return picture(width, height, parts, "Distance of each figure from its target")


def growth(rows):
    """A small panel for each row: the measured value beside 100, 1,000 and 10,000 VMs, both axes in powers of ten."""
    columns, cell, tall, top = 4, 245, 170, 66
    lines = math.ceil(len(rows) / columns)
    width, height = 20 + columns * cell, top + lines * tall + 10
    parts = [text(20, 28, "The same work beside 100, 1,000 and 10,000 VMs", 17, weight="bold"),
             text(20, 47, "flat = costs no more beside more VMs (rows “per VM” are divided by their number); each"
                  " panel spans from a thirtieth of its first value to thirty times it", 12, GREY)]
    for i, row in enumerate(rows):
        left, up = 20 + i % columns * cell, top + i // columns * tall
        inner, deep, under = cell - 30, 92, up + 34
        sizes = sorted(row.values)
        reach = math.log10(30)

        def place(k, size):
            swing = math.log10(max(row.median(size), 1e-12) / max(row.median(sizes[0]), 1e-12))
            swing = max(-reach, min(reach, swing))
            return left + 28 + (inner - 56) * k / (len(sizes) - 1), under + deep / 2 * (1 - swing / reach)
        colour = GOOD if row.met else BAD
        points = [place(k, size) for k, size in enumerate(sizes)]
        parts += [text(left, up + 12, row.name, 11.5, INK, weight="bold"),
                  text(left, up + 27, f"per {row.per} · ×{row.factor:.2f}" if row.per else f"×{row.factor:.2f}", 11,
                       colour),
                  f'<rect x="{left}" y="{under}" width="{inner}" height="{deep}" fill="none" stroke="{LINE}"/>',
                  rule(left, under + deep / 2, left + inner, under + deep / 2, LINE, 1, "3 3"),
                  f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none"'
                  f' stroke="{colour}" stroke-width="2"/>']
        for (x, y), size in zip(points, sizes):
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}"/>',
                      text(x, y - 8, show(row.median(size), row.unit), 10.5, INK, "middle"),
                      text(x, under + deep + 14, f"{size:,}", 10.5, GREY, "middle")]
    return picture(width, height, parts, "Growth with the number of VMs")
