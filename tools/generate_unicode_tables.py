#!/usr/bin/env python3
"""Writes src/text/unicode_tables.hpp from the Unicode data that Python carries.

    python3 tools/generate_unicode_tables.py > src/text/unicode_tables.hpp && clang-format -i src/format/unicode_tables.hpp

Three tables: the code points that take no column, those that take two, and the simple case mappings.
"""
import sys
import unicodedata

LAST = 0x10FFFF


def zero_width(cp):
    c = chr(cp)
    if 0x1160 <= cp <= 0x11FF or 0xD7B0 <= cp <= 0xD7FF:  # Hangul vowels and finals join the syllable before them
        return True
    if cp == 0x00AD or cp in (0x0600, 0x0601, 0x0602, 0x0603, 0x0604, 0x0605, 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2,
                              0x110BD, 0x110CD):
        return False  # format characters that are drawn
    return unicodedata.category(c) in ("Mn", "Me", "Cf")


def wide(cp):
    # Unassigned code points of the ideographic planes and blocks are wide by default (UAX #11).
    if 0x20000 <= cp <= 0x2FFFD or 0x30000 <= cp <= 0x3FFFD:
        return True
    if unicodedata.category(chr(cp)) == "Cn":  # where Python's own answer is not UAX #11's
        return 0x3400 <= cp <= 0x4DBF or 0x4E00 <= cp <= 0x9FFF or 0xF900 <= cp <= 0xFAFF
    return unicodedata.east_asian_width(chr(cp)) in "WF" and not zero_width(cp)


def ranges(test):
    """Closed ranges of the code points for which the test holds."""
    found = []
    for cp in range(0x80, LAST + 1):
        if 0xD800 <= cp <= 0xDFFF or not test(cp):
            continue
        if found and found[-1][1] == cp - 1:
            found[-1][1] = cp
        else:
            found.append([cp, cp])
    return found


def simple_upper(cp):
    c = chr(cp)
    for mapped in (c.upper(), c.title()):  # where the full mapping is several letters, the title form is the simple one
        if len(mapped) == 1:
            return ord(mapped)
    return cp


def simple_lower(cp):
    if cp == 0x130:
        return ord("i")  # its full mapping has a combining dot
    mapped = chr(cp).lower()
    return ord(mapped) if len(mapped) == 1 else cp


def case_runs(mapping):
    """Runs {first, last, step, delta}: each step-th code point from first to last maps to itself plus delta."""
    pairs = [(cp, mapping(cp) - cp) for cp in range(0x80, LAST + 1)
             if not 0xD800 <= cp <= 0xDFFF and mapping(cp) != cp]
    runs = []
    for cp, delta in pairs:
        if runs:
            first, last, step, run_delta = runs[-1]
            gap = cp - last
            if delta == run_delta and gap <= 2 and (step == gap or first == last):
                runs[-1] = [first, cp, gap, delta]
                continue
        runs.append([cp, cp, 1, delta])
    return runs


def emit_ranges(name, comment, table):
    print(f"// {comment}")
    print(f"inline constexpr CodePointRange {name}[] = {{")
    print(",\n".join(", ".join(f"{{0x{a:X}, 0x{b:X}}}" for a, b in table[i:i + 6]) for i in range(0, len(table), 6)) + "};")
    print()


def emit_runs(name, comment, table):
    print(f"// {comment}")
    print(f"inline constexpr CaseRun {name}[] = {{")
    print(",\n".join(", ".join(f"{{0x{a:X}, 0x{b:X}, {s}, {d}}}" for a, b, s, d in table[i:i + 4])
                     for i in range(0, len(table), 4)) + "};")
    print()


def main():
    print(f"""// Facts about code points, Unicode {unicodedata.unidata_version}: how wide they are shown, and their other case.
//
// Written by tools/generate_unicode_tables.py; change that, not this. All tables are sorted and leave ASCII out.
#pragma once

#include <cstdint>

namespace cairn::format {{

struct CodePointRange {{
  char32_t first;
  char32_t last;
}};

// Each step-th code point from first to last has its other case delta away.
struct CaseRun {{
  char32_t first;
  char32_t last;
  std::int32_t step;
  std::int32_t delta;
}};
""")
    emit_ranges("zero_width_ranges", "Combining marks, format characters, Hangul vowels and finals: no column.", ranges(zero_width))
    emit_ranges("wide_ranges", "East Asian wide and full-width, emoji: two columns.", ranges(wide))
    emit_runs("upper_runs", "From lower case to upper.", case_runs(simple_upper))
    emit_runs("lower_runs", "From upper case to lower.", case_runs(simple_lower))
    print("}  // namespace cairn::format")


if __name__ == "__main__":
    sys.exit(main())
