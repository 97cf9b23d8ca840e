#!/usr/bin/env python3
"""Writes include/cairn/detail/unicode_names.hpp: which characters beyond ASCII may stand in a property's name."""
import pathlib
import unicodedata


def ranges(wanted):
    found, start = [], None
    for code in range(0x80, 0x110000):
        hit = unicodedata.category(chr(code)) in wanted
        if hit and start is None:
            start = code
        if not hit and start is not None:
            found.append((start, code - 1))
            start = None
    return found


def table(name, rows):
    cells = [f"{{0x{a:X}, 0x{b:X}}}" for a, b in rows]
    lines, line = [], "   "
    for cell in cells:
        if len(line) + len(cell) + 2 > 118:
            lines.append(line)
            line = "   "
        line += f" {cell},"
    lines.append(line)
    return f"inline constexpr CodePointRange {name}[] = {{\n" + "\n".join(lines) + "\n};\n"


text = f"""// Which characters beyond ASCII may stand in a property's name: Unicode {unicodedata.unidata_version}, categories L* and Nd.
// Made by tools/generate_unicode_names.py; read only by the template parser.
// clang-format off
#pragma once

namespace cairn::detail {{

struct CodePointRange {{
  char32_t first;
  char32_t last;
}};

{table("letter_ranges", ranges({"Lu", "Ll", "Lt", "Lm", "Lo"}))}
{table("digit_ranges", ranges({"Nd"}))}
}}  // namespace cairn::detail
// clang-format on
"""
pathlib.Path(__file__).parent.parent.joinpath("include/cairn/detail/unicode_names.hpp").write_text(text)
