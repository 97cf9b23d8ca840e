#!/usr/bin/env python3
"""A program of files that include different headers of Cairn's, linked in every order: each file logs the same, and what it should.

    two_files.py COMPILER FOLDER INCLUDE LIBRARY…

What the linker keeps of a template that two files made is that of the first one: were it made in two ways, another order would show it.
"""
import itertools
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILES = ["bare.cpp", "streams.cpp", "everything.cpp"]


def structure(value):
    """What log_structure() of log_values.hpp logs of a type without a string form; `value`: its JSON."""
    return with_both(value, value)


def with_both(value, text):
    """What it logs of a type that has one: `text`, as JSON."""
    return [
        f'"@mt":"{{@A}}","A":{value}}}',
        f'"@mt":"{{@A}}","A":[{value}]}}',
        f'"@mt":"{{@A}}","A":{value}}}',
        f'"@mt":"{{@A}}","A":{value}}}',
        f'"@mt":"{{@A}}","A":[1,{value}]}}',
        f'"@mt":"{{@A}}","A":{{"part":{value},"$type":"Part"}}}}',
        f'"@mt":"{{A}} {{@B}}","A":{text},"B":{value}}}',
        f'"@mt":"with a context","A":{text}}}',
    ]


def texts(text):
    """What log_text() logs."""
    return [
        f'"@mt":"{{A}}","A":{text}}}',
        f'"@mt":"{{A}}","A":[{text}]}}',
        f'"@mt":"{{A}}","A":{text}}}',
        f'"@mt":"{{A}}","A":{text}}}',
        f'"@mt":"with a context","A":{text}}}',
    ]


BARE = (structure('{"value":2,"$type":"Meters"}') + structure('{"text":"abc","$type":"Label"}')
        + structure('{"number":3,"$type":"Wide"}') + structure('{"row":4,"$type":"Seat"}')
        + ['"@mt":"pushed","A":{"value":2,"$type":"Meters"}}', '"@mt":"pushed","A":{"row":4,"$type":"Seat"}}'])
STREAMS = (BARE + with_both('{"x":5,"y":6,"$type":"Point"}', '"point 5 6"') + with_both('{"content":7,"$type":"Box"}', '"box of 7"')
           + texts('"point 5 6"') + texts('"box of 7"') + texts('"ticket 8"') + ['"@mt":"{A}","A":0}'])
EVERYTHING = (STREAMS + texts('"9"') + texts('"10"') + texts('"wide order 11"') + with_both('{"id":9,"$type":"Order"}', '"9"'))
EXPECTED = ["bare.cpp", *BARE, "streams.cpp", *STREAMS, "everything.cpp", *EVERYTHING]


def main():
    compiler, folder, include, *libraries = sys.argv[1:]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in [*FILES, "main.cpp"]:  # nothing inlined: every template is the linker's choice
        subprocess.run([compiler, "-std=c++20", "-O0", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-I", include,
                        "-c", str(HERE / name), "-o", str(folder / f"{name}.o")], check=True)
    wrong = 0
    for order in itertools.permutations(FILES):
        program = folder / "program"
        runtime = sorted({f"-Wl,-rpath,{Path(library).parent}" for library in libraries if ".so" in library})
        subprocess.run([compiler, *(str(folder / f"{name}.o") for name in ["main.cpp", *order]), *libraries, *runtime, "-pthread",
                        "-o", str(program)], check=True)
        ran = subprocess.run([str(program)], capture_output=True, text=True, timeout=60)
        lines = ran.stdout.splitlines()
        differ = [(want, got) for want, got in itertools.zip_longest(EXPECTED, lines) if want != got]
        if ran.returncode != 0 or differ:
            wrong += 1
            print(f"linked as {', '.join(order)}: exit {ran.returncode}, {len(differ)} lines of {len(EXPECTED)} are not as they should be")
            for want, got in differ[:10]:
                print(f"  expected {want}\n  logged   {got}")
        else:
            print(f"linked as {', '.join(order)}: {len(lines)} lines as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
