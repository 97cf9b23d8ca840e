#!/usr/bin/env python3
"""Draws what a benchmark program measured: tools/bench_picture.py FIGURES.json PICTURE.svg

FIGURES.json is what `./dev bench NAME --json FILE` wrote, or `./dev bench --json FILE` of all programs, which then stand
one below the other. Each row that requires something is a bar: how much of its
bound it used up, on a logarithmic scale; the line is the bound, left of it is met. Rows without a bound stand below."""

import json
import math
import sys
from xml.sax.saxutils import escape

WIDTH, LABEL, LINE, TOP = 1160, 500, 22, 58
LEAST, MOST = 0.05, 20  # of the bound


def used(row):
    """1 is the bound; below is better."""
    if not row["required"] or not row["measured"]:
        return LEAST if row["bound"] == "at most" else MOST
    share = row["measured"] / row["required"]
    return share if row["bound"] == "at most" else 1 / share


def place(share):
    share = min(max(share, LEAST), MOST)
    return LABEL + (WIDTH - LABEL - 250) * (math.log(share / LEAST) / math.log(MOST / LEAST))


def figure(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def draw(figures, top):
    """The picture of one program, so far down, and its height."""
    bound = [row for row in figures["rows"] if "required" in row]
    free = [row for row in figures["rows"] if "required" not in row]
    height = TOP + LINE * (len(bound) + len(free) + (1 if free else 0)) + 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" y="{top}" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           f'<text x="10" y="22" font-size="15" font-weight="bold">{escape(figures["program"])}</text>']
    facts = figures.get("facts", {})
    out.append(f'<text x="10" y="40" fill="#666">{escape(", ".join(facts[k] for k in ("cpu", "compiler", "rounds", "seconds") if k in facts))}</text>')
    line = place(1)
    bottom = TOP + LINE * len(bound)
    for index, row in enumerate(bound):
        y = TOP + LINE * index
        x = place(used(row))
        met = row["verdict"] == "met"
        out.append(f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(row["what"])}</text>')
        out.append(f'<rect x="{LABEL}" y="{y + 4}" width="{max(1, x - LABEL):.1f}" height="{LINE - 8}" fill="{"#4a8f5c" if met else "#c0504d"}"/>')
        sign = "≤" if row["bound"] == "at most" else "≥"
        out.append(f'<text x="{WIDTH - 240}" y="{y + 15}">{figure(row["measured"])} {escape(row["unit"])} '
                   f'({sign} {figure(row["required"])}): {row["verdict"]}</text>')
    if bound:
        out.append(f'<line x1="{line:.1f}" x2="{line:.1f}" y1="{TOP}" y2="{bottom}" stroke="black" stroke-width="1.5"/>')
        out.append(f'<text x="{line:.1f}" y="{bottom + 14}" text-anchor="middle">what is required</text>')
    for index, row in enumerate(free):
        y = bottom + LINE * (index + 1)
        out.append(f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end" fill="#444">{escape(row["what"])}</text>')
        out.append(f'<text x="{LABEL}" y="{y + 15}" fill="#444">{figure(row["measured"])} {escape(row["unit"])}</text>')
    return "\n".join(out + ["</svg>"]) + "\n", height


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        figures = json.load(file)
    programs = [figures] if "program" in figures else figures.values()
    parts, height = [], 0
    for program in programs:
        if isinstance(program, dict) and "rows" in program and "program" in program:  # Google Benchmark's have none
            part, taller = draw(program, height)
            parts.append(part)
            height += taller
    if not parts:
        return
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}">\n{"".join(parts)}</svg>\n')


if __name__ == "__main__":
    main()
