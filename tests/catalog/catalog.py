#!/usr/bin/env python3
"""cairn-catalog against programs built in every way, damaged files, and pairs of builds.

    catalog.py sites TOOL COMPILER FOLDER INCLUDE LIBRARY…   the sample in every configuration lists exactly its sites
    catalog.py damage TOOL COMPILER FOLDER INCLUDE LIBRARY…  files cut short and bytes turned over: an error or a list, no crash
    catalog.py compare TOOL COMPILER FOLDER INCLUDE LIBRARY… what changed, was added and removed; exit codes
"""
import json
import random
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
WAYS = {  # name: flags
    "plain": "-O0",
    "optimised": "-O2",
    "debug": "-O1 -g",
    "pie": "-O2 -fPIE -pie",
    "no_pie": "-O2 -fno-pie -no-pie",
    "no_pie_plain": "-O0 -fno-pie -no-pie",
    "gc_sections": "-O2 -ffunction-sections -fdata-sections -Wl,--gc-sections",
    "stripped": "-O2 -s",
    "lto": "-O2 -flto",
    "packed_relocations": "-O2 -Wl,-z,pack-relative-relocs",
    "shared": "-O2 -fPIC -shared -DSAMPLE_IS_LIBRARY",
    "shared_plain": "-O0 -fPIC -shared -DSAMPLE_IS_LIBRARY",
    "shared_gc_sections": "-O2 -fPIC -shared -DSAMPLE_IS_LIBRARY -ffunction-sections -fdata-sections -Wl,--gc-sections",
    "shared_symbolic": "-O2 -fPIC -shared -DSAMPLE_IS_LIBRARY -Wl,-Bsymbolic -fvisibility=hidden",
}
# What is optimised as a whole has no code left that nobody calls, and so cannot log that.
GONE = {"lto": "never called"}
EXPECTED = re.compile(r"^\s*// (\w+)\t(.+)\t(.+)$", re.M)


def fail(message):
    sys.exit(f"FAILED: {message}")


class Suite:
    def __init__(self, tool, compiler, folder, include, *libraries):
        self.tool, self.compiler, self.folder = tool, compiler, Path(folder)
        self.include, self.libraries = include, libraries
        self.folder.mkdir(parents=True, exist_ok=True)

    def build(self, name, flags, sources):
        out = self.folder / name
        libraries = [] if "-shared" in flags else [*self.libraries, "-pthread"]
        command = [self.compiler, "-std=c++20", *flags.split(), "-I", self.include, *map(str, sources), *libraries, "-o", out]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            fail(f"{name} cannot be built:\n{made.stderr}")
        return out

    def run(self, *arguments):
        return subprocess.run([self.tool, *map(str, arguments)], capture_output=True, text=True, timeout=60)

    def list(self, binary):
        ran = self.run("--json", binary)
        if ran.returncode != 0 or ran.stderr:
            fail(f"{binary}: {ran.returncode}, {ran.stderr}")
        return json.loads(ran.stdout)

    def sites(self):
        expected = sorted(match for name in ("sample.cpp", "sample.hpp", "second.cpp")
                          for match in EXPECTED.findall((HERE / name).read_text(encoding="utf-8")))
        for name, flags in WAYS.items():
            events = self.list(self.build(name, flags, [HERE / "sample.cpp", HERE / "second.cpp"]))
            found = sorted((e["level"], e["template"], ", ".join(f"{p['name']}: {p['type']}" for p in e["properties"]) or "-")
                           for e in events)
            wanted = [e for e in expected if e[1] != GONE.get(name)]
            if found != wanted:
                missing = [e for e in wanted if e not in found]
                fail(f"{name}: missing {missing}, of its own {[f for f in found if f not in wanted]}, "
                     f"{len(found)} instead of {len(wanted)}")
            for event in events:  # each stands where it says
                line = Path(event["file"]).read_text(encoding="utf-8").split("\n")[event["line"] - 1]
                if "CAIRN_" not in line:
                    fail(f"{name}: {event} stands in another line")
            in_order = sorted(events, key=lambda e: (e["file"], e["line"], e["template"]))
            if [e["template"] for e in events] != [e["template"] for e in in_order]:
                fail(f"{name}: not by file and line")
        print(f"{len(expected)} sites in {len(WAYS)} ways")

    def damage(self):
        whole = self.build("whole.so", WAYS["shared"], [HERE / "sample.cpp", HERE / "second.cpp"]).read_bytes()
        victim = self.folder / "victim"
        outcomes = {0: 0, 2: 0}

        def judge(content, what):
            victim.write_bytes(content)
            ran = subprocess.run([self.tool, victim], capture_output=True, timeout=60)
            if ran.returncode not in outcomes:
                fail(f"{what}: ended with {ran.returncode}; the file is {victim}")
            if ran.returncode == 2 and str(victim).encode() not in ran.stderr:
                fail(f"{what}: the error does not name the file: {ran.stderr}")
            outcomes[ran.returncode] += 1

        for size in range(0, len(whole), max(1, len(whole) // 150)):
            judge(whole[:size], f"cut to {size} bytes")
        if outcomes[2] == 0:
            fail("no cut file was an error")
        dice = random.Random(7)
        for trial in range(300):
            content = bytearray(whole)
            for _ in range(dice.choice((1, 4, 64))):
                content[dice.randrange(len(content) if trial % 2 else 4096)] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
            judge(bytes(content), f"trial {trial}")

        for content, reason in ((b"", "not an ELF file"), (b"#!/bin/sh\n", "not an ELF file"), (whole[:40], "truncated"),
                                (whole[:100], "truncated"), (whole[:4] + b"\x01" + whole[5:], "not for x86-64")):
            victim.write_bytes(content)
            ran = self.run(victim)
            if ran.returncode != 2 or reason not in ran.stderr:
                fail(f"'{reason}' expected: {ran.returncode}, {ran.stderr}")
        for path, reason in ((self.folder / "gone", "No such file"), (self.folder, "not a regular file"),
                             (self.object_file(), "an object file: link it first")):
            ran = self.run(path)
            if ran.returncode != 2 or reason not in ran.stderr:
                fail(f"'{reason}' expected: {ran.returncode}, {ran.stderr}")
        none = self.run(self.tool)
        if none.returncode != 0 or "no call site in the macro form" not in none.stderr or none.stdout:
            fail(f"a program without sites: {none}")
        print(f"{outcomes[0]} lists and {outcomes[2]} errors")

    def object_file(self):
        out = self.folder / "sample.o"
        subprocess.run([self.compiler, "-std=c++20", "-I", self.include, "-c", HERE / "second.cpp", "-o", out], check=True)
        return out

    def compare(self):
        def build(name, body):
            source = self.folder / f"{name}" / "shop.cpp"
            source.parent.mkdir(exist_ok=True)
            source.write_text("#include <cairn/cairn.hpp>\nvoid pay(const cairn::Logger& log, int a, double b, double c) {\n" + body + "}\n")
            return self.build(f"{name}.so", "-O0 -fPIC -shared", [source])

        old = build("old", 'CAIRN_INFORMATION(log, "kept {A}", a);\nCAIRN_INFORMATION(log, "level {A}", a);\n'
                           'CAIRN_INFORMATION(log, "type {A} {B}", a, b);\nCAIRN_WARNING(log, "wording {B}", b);\n'
                           'CAIRN_ERROR(log, "removed");\n')
        new = build("new", 'CAIRN_DEBUG(log, "added {A} {B}", a, b);\n\nCAIRN_INFORMATION(log, "kept {A}", a);\n'
                           'CAIRN_WARNING(log, "level {A}", a);\nCAIRN_INFORMATION(log, "type {A} {B}", c, b);\n'
                           'CAIRN_WARNING(log, "better wording {B}", b);\nCAIRN_INFORMATION(log, "kept {A}", a);\n')
        ran = self.run("--compare", "--json", old, new)
        if ran.returncode != 1:
            fail(f"two that differ: {ran}")
        result = json.loads(ran.stdout)
        found = {kind: sorted((e["after"] if kind == "changed" else e)["template"] for e in result[kind]) for kind in result}
        if found != {"changed": ["better wording {B}", "level {A}", "type {A} {B}"], "added": ["added {A} {B}"],
                     "removed": ["removed"]}:
            fail(f"found {found}")
        text = self.run("--compare", old, new)
        for line in ("    level: Information -> Warning", "    property A: int -> double", "wording {B}", "added    ", "removed  "):
            if line not in text.stdout:
                fail(f"'{line}' is not in\n{text.stdout}")
        same = self.run("--compare", new, new)
        if (same.returncode, same.stdout) != (0, ""):
            fail(f"two that are the same: {same}")
        if self.run("--compare", old, self.folder / "gone").returncode != 2 or self.run("--compare", old).returncode != 2:
            fail("an error is not told from a difference")
        if self.run("--wrong").returncode != 2 or self.run("--help").returncode != 0:
            fail("--wrong or --help")
        print("as expected")


if __name__ == "__main__":
    getattr(Suite(*sys.argv[2:]), sys.argv[1])()
