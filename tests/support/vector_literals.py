#!/usr/bin/env python3
"""Writes the templates of vector files as C++ literals, so that the compiler parses them too.

    vector_literals.py OUTPUT FILE…
"""
import re
import sys
from pathlib import Path

LONGEST = 2000  # of a literal, in bytes; a compiler has no time for more


def plain(field):
    """The bytes that a field of a vector file stands for."""
    def special(found):
        text, times = re.fullmatch(r"(.*?)(?:\*(\d+))?", found[1], re.S).groups()
        return text.encode() * int(times) if times else bytes.fromhex(text)
    parts = re.split("(⟨.*?⟩)", field.replace("¦", "|").replace("␤", "\n").replace("␀", ""))
    return b"".join(special(re.match("⟨(.*)⟩", part, re.S)) if part.startswith("⟨") else part.encode() for part in parts)


def literal(text):
    return '"' + "".join(chr(b) if chr(b).isalnum() and b < 0x80 else f"\\{b:03o}" for b in text) + '"'


def main():
    output, *files = map(Path, sys.argv[1:])
    lines = []
    for file in files:
        for line in file.read_text(encoding="utf-8").split("\n"):
            if line and not line.startswith("#"):
                name, template, *_ = line.split("\t")
                text = plain(template)
                if len(text) <= LONGEST:
                    lines.append(f'CAIRN_TEST_VECTOR("{name}", {literal(text)})\n')
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("".join(lines), encoding="ascii")


if __name__ == "__main__":
    main()
