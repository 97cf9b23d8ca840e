#!/usr/bin/env python3
"""What call sites cost the compiler and the program: files of generated call sites with Cairn, spdlog and Quill.

  benchmarks/compile.py [--json FILE] [--sites N] [--rounds N] [--compiler CXX]

Each file has N different call sites (2000) of three values, compiled at -O2, each library in turn, medians of the rounds
(5). Size is text and data of the object, as `size` counts them. The peers are found as their packages say: spdlog by
pkg-config, Quill in CMAKE_PREFIX_PATH or where cmake's configuration found it.
"""

import argparse
import json
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time

root = pathlib.Path(__file__).resolve().parent.parent

HOW = {
    "cairn, macro": ("#include <cairn/cairn.hpp>\n", "const cairn::Logger& log",
                     'CAIRN_INFORMATION(log, "Event {i}: {{A}} of {{B}} in {{C}}", a + {i}, b, c);'),
    "cairn, function": ("#include <cairn/cairn.hpp>\n", "const cairn::Logger& log",
                        'log.information("Event {i}: {{A}} of {{B}} in {{C}}", a + {i}, b, c);'),
    "spdlog": ("#include <spdlog/spdlog.h>\n", "spdlog::logger& log",
               'log.info("Event {i}: {{}} of {{}} in {{}}", a + {i}, b, c);'),
    "quill": ("#include <quill/LogMacros.h>\n#include <quill/Logger.h>\n", "quill::Logger* log",
              'LOG_INFO(log, "Event {i}: {{}} of {{}} in {{}}", a + {i}, b, c);'),
}


def source(how, sites):
    include, logger, call = HOW[how]
    lines = [include]
    for start in range(0, sites, 50):
        lines.append(f"void some_{start}({logger}, int a, long b, double c) {{")
        lines += ["  " + call.format(i=i) for i in range(start, min(sites, start + 50))]
        lines.append("}")
    return "\n".join(lines) + "\n"


def quill_include():
    for prefix in os.environ.get("CMAKE_PREFIX_PATH", "").replace(";", ":").split(":"):
        if prefix and (pathlib.Path(prefix) / "include/quill/Logger.h").exists():
            return pathlib.Path(prefix) / "include"
    cache = root / "build/bench/CMakeCache.txt"
    if cache.exists():
        for line in cache.read_text().splitlines():
            if line.startswith("quill_DIR:PATH=/"):
                include = pathlib.Path(line.split("=", 1)[1]).parents[2] / "include"
                if (include / "quill/Logger.h").exists():
                    return include
    return None


def peers():
    """name -> flags of those that are here"""
    found = {"cairn, macro": ["-I", str(root / "include")], "cairn, function": ["-I", str(root / "include")]}
    try:
        found["spdlog"] = shlex.split(subprocess.run(["pkg-config", "--cflags", "spdlog"], capture_output=True, text=True,
                                                     check=True).stdout)
    except (OSError, subprocess.CalledProcessError):
        pass
    if include := quill_include():
        found["quill"] = ["-isystem", str(include)]
    return found


def compile_once(compiler, flags, path):
    begin = time.perf_counter()
    subprocess.run([compiler, "-std=c++20", "-O2", *flags, "-c", str(path), "-o", str(path) + ".o"], check=True)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json")
    parser.add_argument("--sites", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++"))
    options = parser.parse_args()
    version = subprocess.run([options.compiler, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]

    found = peers()
    missing = sorted(set(HOW) - set(found))
    with tempfile.TemporaryDirectory(prefix="cairn-compile-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        folder = pathlib.Path(name)
        jobs = {}  # (how, sites) -> (path, flags)
        text = folder / "string.cpp"
        text.write_text("#include <string>\nstd::string name(int i) { return std::string(\"a\", static_cast<std::size_t>(i)); }\n")
        jobs["<string>", 0] = (text, [])
        for how, flags in found.items():
            for sites in (1, options.sites):
                path = folder / f"{how.replace(', ', '_')}_{sites}.cpp"
                path.write_text(source(how, sites))
                jobs[how, sites] = (path, flags)
        times = {job: [] for job in jobs}
        for _ in range(options.rounds):
            for job, (path, flags) in jobs.items():
                times[job].append(compile_once(options.compiler, flags, path))
        seconds = {job: statistics.median(all_) for job, all_ in times.items()}
        size = {}
        for job, (path, _) in jobs.items():
            fields = subprocess.run(["size", str(path) + ".o"], capture_output=True, text=True, check=True).stdout.splitlines()[1].split()
            size[job] = int(fields[0]) + int(fields[1])

    many = options.sites
    rows = []

    def row(what, unit, measured, required=None, detail=""):
        entry = {"what": what, "unit": unit, "measured": measured, "detail": detail}
        if required is not None:
            entry |= {"bound": "at most", "required": required, "verdict": "met" if measured <= required else "missed"}
        rows.append(entry)

    for form in ("macro", "function"):
        mine = f"cairn, {form}"
        if "spdlog" in found:
            row(f"{many} sites, {form}: time / spdlog's", "ratio", seconds[mine, many] / seconds["spdlog", many], 0.5,
                f"{seconds[mine, many]:.2f} / {seconds['spdlog', many]:.2f} s")
        if "quill" in found:
            row(f"{many} sites, {form}: time / Quill's", "ratio", seconds[mine, many] / seconds["quill", many], 1,
                f"{seconds[mine, many]:.2f} / {seconds['quill', many]:.2f} s")
            row(f"{many} sites, {form}: text and data / Quill's", "ratio", size[mine, many] / size["quill", many], 0.6,
                f"{size[mine, many] / 1024:.0f} / {size['quill', many] / 1024:.0f} KiB")
        row(f"one include and one call, {form}: over a file that includes <string>", "s",
            seconds[mine, 1] - seconds["<string>", 0], 0.3, f"{seconds[mine, 1]:.2f} / {seconds['<string>', 0]:.2f} s")

    table = {"title": f"compile time (s), text and data (KiB), medians of {options.rounds}",
             "columns": ["one call", f"{many} sites", "KiB", "bytes a site"],
             "rows": [{"name": how, "values": [seconds[how, 1], seconds[how, many], size[how, many] / 1024,
                                               (size[how, many] - size[how, 1]) / (many - 1)]} for how in found]}
    facts = {"compiler": version, "flags": "-std=c++20 -O2", "cores": str(os.cpu_count()),
             "load before": open("/proc/loadavg").read().split()[0],
             "not found": ", ".join(missing) or "nothing: all peers are here"}

    print("compile: what call sites cost the compiler and the program")
    for key, value in facts.items():
        print(f"  {key:22} {value}")
    print(f"\n{table['title']}\n  {'':44}" + "".join(f" {column:>12}" for column in table["columns"]))
    for line in table["rows"]:
        print(f"  {line['name']:44}" + "".join(f" {value:12.2f}" for value in line["values"]))
    print(f"  {'<string>, no logging':44} {seconds['<string>', 0]:12.2f}")
    print(f"\n{'':72} {'required':>12} {'measured':>12}")
    for entry in rows:
        required = f"<= {entry['required']:g}" if "required" in entry else "-"
        print(f"{entry['what']:72} {required:>12} {entry['measured']:12.3f} {entry['unit']:8} {entry.get('verdict', ''):7} {entry['detail']}")
    print(f"\n{len(rows)} rows, {sum(entry.get('verdict') == 'missed' for entry in rows)} missed")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"program": "compile", "facts": facts, "tables": [table], "rows": rows}, indent=1))


if __name__ == "__main__":
    if not shutil.which("size"):
        raise SystemExit("size (binutils) is not here")
    main()
