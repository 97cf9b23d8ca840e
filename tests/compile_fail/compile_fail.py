#!/usr/bin/env python3
"""Judges one file of this folder with one compiler.

    compile_fail.py COMPILER FILE -- FLAGS…
    compile_fail.py COMPILER --self-test -- FLAGS…

ok_*.cpp must compile without a warning. Any other file must begin with lines `// expect: text`, must not compile, and what
the compiler says must contain each of these texts. A file may give further flags in a line `// flags: …`.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def judge(compiler, path, flags):
    """What is wrong, or None."""
    text = path.read_text(encoding="utf-8")
    head = re.match(r"(?:[ \t]*(?://.*)?\n)*", text).group()
    expected = [m.strip() for m in re.findall(r"^// expect:(.*)$", head, re.M)]
    further = [flag for line in re.findall(r"^// flags:(.*)$", head, re.M) for flag in line.split()]
    control = path.name.startswith("ok_")
    if control and expected:
        return "a file that must compile has an `// expect:` line"
    if not control and (not expected or not all(expected)):
        return "no `// expect:` line at the top, or an empty one"
    said = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", "-fdiagnostics-color=never", *flags, *further, str(path)],
                          capture_output=True, text=True, errors="replace")
    # Where the compiler quotes this very file it proves nothing, its comments least of all; what it quotes of the library counts.
    message = said.stderr.replace("‘", "'").replace("’", "'")
    own = {line.strip() for line in text.split("\n")}
    told = "\n".join(line for line in message.split("\n") if re.sub(r"^\s*\d*\s*\|", "", line).strip() not in own)
    if control:
        return None if said.returncode == 0 and not message else "it must compile without a word\n" + message
    if said.returncode == 0:
        return "it compiles, and must not"
    if said.returncode < 0 or "internal compiler error" in message:
        return "the compiler fell over\n" + message
    missing = [e for e in expected if e not in told]
    return None if not missing else "the compiler does not say " + ", ".join(repr(m) for m in missing) + "\n" + message


CASES = [  # name, text, what must be said (None: nothing is wrong)
    ("fails_as_told", "// expect: CAIRN000\n// expect: mistake\nstatic_assert(false, \"CAIRN000: a mistake\");\n", None),
    ("compiles", "// expect: CAIRN000\nint main() {}\n", "it compiles, and must not"),
    ("says_another_thing", "// expect: CAIRN000\nstatic_assert(false, \"CAIRN001\");\n", "does not say 'CAIRN000'"),
    ("says_only_one", "// expect: one\n// expect: two\nstatic_assert(false, \"one\");\n", "does not say 'two'"),
    ("only_in_a_comment", "// expect: CAIRN000\nint x = y;  // CAIRN000\n", "does not say 'CAIRN000'"),
    ("expects_nothing", "int main() { return x; }\n", "no `// expect:` line"),
    ("ok_clean", "int main() {}\n", None),
    ("ok_warns", "int main() { int unused; }\n", "without a word"),
    ("ok_fails", "static_assert(false);\n", "without a word"),
    ("ok_expects", "// expect: x\nint main() {}\n", "has an `// expect:` line"),
    ("needs_flag", "// expect: CAIRN000\n// flags: -DPLANT\n#ifdef PLANT\nstatic_assert(false, \"CAIRN000\");\n#endif\n", None),
]


def self_test(compiler, flags):
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, text, expected in CASES:
            path = Path(folder) / f"{name}.cpp"
            path.write_text(text, encoding="utf-8")
            found = judge(compiler, path, flags)
            if (found is None) != (expected is None) or (expected and expected not in found):
                wrong += 1
                print(f"{name}: expected {expected!r}, found {found!r}")
    print(f"{len(CASES)} planted files, {wrong} judged wrongly")
    return wrong


def main():
    split = sys.argv.index("--")
    compiler, what = sys.argv[1:split]
    flags = sys.argv[split + 1:]
    if what == "--self-test":
        return 1 if self_test(compiler, flags) else 0
    problem = judge(compiler, Path(what), flags)
    print(f"{what}: {problem}" if problem else f"{what}: as it should be")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
