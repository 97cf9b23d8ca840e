#!/usr/bin/env python3
"""Takes each defence of mutations.py out of the code, one at a time, and demands that its test fails.

    run.py BUILD [-j N] [WORDS…]     those whose name has all of the words; all without any

BUILD is a build of the tests with Ninja and without sanitizers, up to date. Nothing in the tree is changed: the mutated copy of
a source is compiled beside it and linked in front of the library. Ends with 1 where a test passes without its defence, fails
with it, or where a text is not to be found.
"""
import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 90  # seconds: a test that takes longer has failed


def compile_commands(build):
    """Of each source of the library: its command, without what it writes."""
    found = {}
    for entry in json.loads(subprocess.run(["ninja", "-C", build, "-t", "compdb"], capture_output=True, text=True, check=True).stdout):
        file = Path(entry["directory"], entry["file"]).resolve()
        if "/cairn.dir/" not in entry["output"] or not file.is_relative_to(ROOT / "src"):
            continue
        words = shlex.split(entry["command"])
        words = [w for i, w in enumerate(words) if w not in ("-c", "-o", "-MD", "-MT", "-MF")
                 and not (i and words[i - 1] in ("-c", "-o", "-MT", "-MF")) and Path(w).name != "ccache"]
        found[file.relative_to(ROOT).as_posix()] = (words, entry["directory"])
    return found


def link_commands(build, programs):
    """Of each program: the words of its link."""
    found = {}
    for program in programs:
        last = subprocess.run(["ninja", "-C", build, "-t", "commands", program], capture_output=True, text=True, check=True).stdout.strip().split("\n")[-1]
        found[program] = shlex.split(last.removeprefix(": && ").removesuffix(" && :"))
    return found


def run_test(program, pattern, folder):
    """(how many tests ran, did one fail, the end of what was said)"""
    environment = dict(os.environ, TMPDIR=folder)
    process = subprocess.Popen([program, f"--gtest_filter={pattern}", "--gtest_color=no"], cwd=folder, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    try:
        said, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        return 1, True, f"it took longer than {LONGEST} s"
    ran = re.search(r"^\[==========\] Running (\d+) test", said, re.M)
    return int(ran.group(1)) if ran else 0, process.returncode != 0, "\n".join(said.split("\n")[-12:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("-j", type=int, default=os.cpu_count(), dest="jobs")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_intermixed_args()
    chosen = [m for m in MUTATIONS if all(word in m[0] for word in arguments.words)]
    if not chosen:
        print("no mutation has these words in its name")
        return 2
    build = str(Path(arguments.build).resolve())
    compiles = compile_commands(build)
    programs = {m[4] for m in chosen}
    links = link_commands(build, programs)

    with tempfile.TemporaryDirectory(prefix="cairn-mutation-") as folder:
        def path_of(program):
            words = links[program]
            return str(Path(build, words[words.index("-o") + 1]))

        def with_it(test):
            program, pattern = test
            ran, failed, said = run_test(path_of(program), pattern, folder)
            return f"{pattern}: {'fails as the code is' if failed else 'no such test'}\n{said}" if failed or ran == 0 else ""

        def without_it(numbered):
            number, (name, file, old, new, program, pattern) = numbered
            text = (ROOT / file).read_text(encoding="utf-8")
            if file not in compiles:
                return f"{name}: {file} is no source of the library"
            if text.count(old) != 1:
                return f"{name}: its text stands {text.count(old)} times in {file}"
            here = Path(folder, str(number))
            here.mkdir()
            source, made, mutant = here / Path(file).name, here / "mutant.o", here / program
            source.write_text(text.replace(old, new), encoding="utf-8")
            words, where = compiles[file]
            words = [w for w in words if w not in ("-Werror",)] + ["-O1", "-w", "-c", str(source), "-o", str(made)]
            built = subprocess.run(words, cwd=where, capture_output=True, text=True)
            if built.returncode != 0:
                return f"{name}: does not compile\n{built.stderr}"
            link = list(links[program])
            at = link.index("-o")
            link[at + 1] = str(mutant)
            link.insert(at, str(made))
            built = subprocess.run(link, cwd=build, capture_output=True, text=True)
            if built.returncode != 0:
                return f"{name}: does not link\n{built.stderr}"
            _, failed, _ = run_test(str(mutant), pattern, str(here))
            mutant.unlink()
            print(f"{'caught  ' if failed else 'SURVIVED'}  {name}", flush=True)
            return "" if failed else f"{name}: {pattern} passes without it"

        with ThreadPoolExecutor(arguments.jobs) as pool:
            wrong = [w for w in pool.map(with_it, sorted({(m[4], m[5]) for m in chosen})) if w]
            if not wrong:
                wrong = [w for w in pool.map(without_it, enumerate(chosen)) if w]
    print("\n".join(wrong) if wrong else f"{len(chosen)} defences taken out one at a time: a test failed for each")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
