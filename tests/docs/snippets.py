#!/usr/bin/env python3
"""The code on our pages (README.md, CHANGELOG.md, docs/*.md): compiled, run, and its links followed.

    snippets.py generate ROOT OUT    one source a page (and one a complete program) into OUT, and OUT/pages.cmake
    snippets.py run FOLDER PROGRAM…  runs each program in FOLDER, emptied first; PROGRAM=N,M runs only these fragments of it
    snippets.py check ROOT           fences, verbs of ./dev, links and their anchors, names of metrics (in rules of Prometheus too)
    snippets.py --self-test

A ```cpp block with an `int main` is a program of its own and includes what it uses. Any other is a fragment: the body of a
function, with prelude.hpp before it; its #include lines are hoisted. Words after ```cpp, or in a comment line
`<!-- words -->` just above:
    no-run (in a comment also: compile only)   compiled, not run
    file-scope      not a body: put before the functions of the page's later fragments (for templates, specialisations, …)
    setup           put before each later fragment of the page, in a scope around it
    from=HEADER     before the block stands the example of the comment that opens that header (its lines indented by three)
A block the reader should not see is a comment that starts with a line `<!-- cpp words` and ends with a line `-->`.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

WORDS = {"no-run", "file-scope", "setup"}
MAIN = re.compile(r"^\s*(?:auto|int)\s+main\s*\(", re.M)
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[^\n]*$", re.M)


@dataclass
class Block:
    language: str
    words: set
    line: int  # of its first line of code, from 1
    text: str


def unknown(words):
    return {w for w in words if w not in WORDS and not w.startswith("from=")}


def pages(root):
    return [p for p in [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").glob("**/*.md"))] if p.exists()]


def read_blocks(page):
    """Every fenced block and every hidden one; raises ValueError for what is not closed."""
    lines = page.read_text(encoding="utf-8").split("\n")
    blocks, i, above = [], 0, set()
    while i < len(lines):
        line = lines[i]
        fence = re.match(r"^([ \t]*)(`{3,}|~{3,})[ \t]*(.*?)[ \t]*$", line)
        hidden = re.match(r"^<!--[ \t]*cpp\b(.*)$", line)
        if fence or (hidden and "-->" not in line):
            start, indent = i, fence.group(1) if fence else ""
            mark = re.compile(rf"^[ \t]*{re.escape(fence.group(2))}{fence.group(2)[0]}*[ \t]*$" if fence else r"^-->[ \t]*$")
            info = fence.group(3).split() if fence else ["cpp", *hidden.group(1).split()]
            i += 1
            while i < len(lines) and not mark.match(lines[i]):
                i += 1
            if i == len(lines):
                raise ValueError(f"{page}:{start + 1}: a block that is not closed")
            text = [l[len(indent):] if l.startswith(indent) else l.lstrip() for l in lines[start + 1:i]]
            blocks.append(Block(info[0] if info else "", set(info[1:]) | above, start + 2, "\n".join(text) + "\n"))
            above = set()
        elif note := re.match(r"^[ \t]*<!--[ \t]*(.*?)[ \t]*-->[ \t]*$", line):
            words = set(note.group(1).replace("compile only", "no-run").split())
            above = words if not unknown(words) else set()
        elif line.strip():
            above = set()
        i += 1
    return blocks


def page_name(root, page):
    return re.sub(r"\W+", "_", page.relative_to(root).with_suffix("").as_posix())


def with_example(root, shown, block):
    """The text of a block, after the example of the header that it names."""
    text = f'#line {block.line} "{shown}"\n{block.text}'
    for header in (w[5:] for w in block.words if w.startswith("from=")):
        lines = (root / header).read_text(encoding="utf-8").split("\n")
        lines = lines[:next(i for i, line in enumerate(lines) if not line.startswith("//"))]
        example = "".join(line[5:] + "\n" if line.startswith("//   ") else "\n" for line in lines)
        if not example.strip():
            raise ValueError(f"{header}: there is no example in the comment that opens it")
        text = f'#line 1 "{header}"\n{example}{text}'
    return text


def hoist(text):
    """The #include lines and the rest, which keeps its line numbers."""
    return [m.strip() for m in INCLUDE.findall(text)], INCLUDE.sub("", text)


def generate_page(root, page, out):
    """Writes the sources of one page; returns [(target, source, fragments to run or None)]."""
    name, shown = page_name(root, page), page.relative_to(root).as_posix()
    includes, top, setup, bodies, run, made = [], [], [], [], [], []
    for block in read_blocks(page):
        if block.language != "cpp":
            continue
        if MAIN.search(block.text):
            made.append((f"docs_{name}_{block.line}", f'#line {block.line} "{shown}"\n{block.text}',
                         None if "no-run" in block.words else ""))
            continue
        hoisted, code = hoist(with_example(root, shown, block))
        includes += hoisted
        if "file-scope" in block.words:
            bodies.append(code)
        elif "setup" in block.words:
            setup.append(code)
        else:
            around = "".join(setup)
            bodies.append(f"namespace block_{block.line} {{\nvoid run() {{\n{around}{{\n{code}}}\n}}\n}}\n")
            top.append(block.line)
            if "no-run" not in block.words:
                run.append(block.line)
    if bodies:
        cases = "".join(f"    case {n}: block_{n}::run(); return 0;\n" for n in top)
        text = ("#include \"prelude.hpp\"\n" + "".join(f"{i}\n" for i in dict.fromkeys(includes)) + "".join(bodies) +
                f'#line 1 "{name}.cpp"\nint main(int, char** arguments) {{\n  switch (std::stoi(arguments[1])) {{\n{cases}'
                "    default: return 2;\n  }\n}\n")
        made.insert(0, (f"docs_{name}", text, ",".join(map(str, run)) or None))
    result = []
    for target, text, fragments in made:
        source = out / f"{target}.cpp"
        if not source.exists() or source.read_text(encoding="utf-8") != text:
            source.write_text(text, encoding="utf-8")
        result.append((target, source, fragments))
    return result


def generate(root, out):
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for page in pages(root):
        lines.append(f'set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "{page.as_posix()}")')
        runs = []
        for target, source, fragments in generate_page(root, page, out):
            lines.append(f'cairn_docs_program({target} "{source.as_posix()}")')
            if fragments is not None:
                runs.append(f"$<TARGET_FILE:{target}>" + (f"={fragments}" if fragments else ""))
        if runs:
            lines.append(f'cairn_docs_test({page_name(root, page)} {" ".join(runs)})')
    (out / "pages.cmake").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def run(folder, programs):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    failed = 0
    for entry in programs:
        program, _, fragments = entry.partition("=")
        for fragment in fragments.split(",") if fragments else [""]:
            what = f"{Path(program).name} {fragment and 'line ' + fragment}"
            print(f"== {what}", flush=True)
            result = subprocess.run([program, *([fragment] if fragment else [])], cwd=folder, timeout=120, stdin=subprocess.DEVNULL)
            if result.returncode != 0:
                print(f"{what} ended with {result.returncode}", flush=True)
                failed += 1
    return 1 if failed else 0


def verbs(root):
    return set(re.findall(r"^verb_(\w+)\(\)", (root / "dev").read_text(encoding="utf-8"), re.M))


def anchors(page):
    """The ids that a heading of this page gets where it is shown."""
    found, in_fence = {}, False
    for line in page.read_text(encoding="utf-8").split("\n"):
        if re.match(r"^[ \t]*(```|~~~)", line):
            in_fence = not in_fence
        elif not in_fence and (m := re.match(r"^#{1,6}[ \t]+(.*?)[ \t#]*$", line)):
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", m.group(1)).replace("`", "")
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            count = found.get(slug, -1) + 1
            found[slug] = count
            if count:
                found[f"{slug}-{count}"] = 0
        found.update((a, 0) for a in re.findall(r'<a (?:id|name)="([^"]+)"', line))
    return set(found)


def unknown_metrics(root, pages):
    """Names of metrics, in pages and in the rules of the examples, that to_prometheus() does not write."""
    writer = root / "src/pipeline/metrics_text.cpp"
    if not writer.exists():
        return []
    known = set(re.findall(r'"(cairn_\w+)"', writer.read_text(encoding="utf-8")))
    problems = []
    for page in [*pages, *sorted((root / "examples").glob("**/*.yml"))]:
        for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
            for name in re.findall(r"\bcairn_(?:logger|sink|memory|metrics|template)_\w+", line):
                if not {name, re.sub(r"_(sum|count)$", "", name)} & known:
                    problems.append(f"{page.relative_to(root).as_posix()}:{number}: there is no metric {name}")
    return problems


def check(root):
    problems, known = unknown_metrics(root, pages(root)), verbs(root)
    for page in pages(root):
        shown = page.relative_to(root).as_posix()
        try:
            blocks = read_blocks(page)
        except ValueError as error:
            problems.append(str(error))
            continue
        for block in blocks:
            where = f"{shown}:{block.line - 1}"
            if block.language in ("c++", "cc", "C++", "hpp", "CPP", "Cpp"):
                problems.append(f"{where}: write ```cpp, else the block is not compiled")
            if block.language == "cpp" and (wrong := unknown(block.words)):
                problems.append(f"{where}: ```cpp takes {', '.join(sorted(WORDS))}; found {', '.join(sorted(wrong))}")
            if block.language in ("bash", "shell", "console"):
                problems.append(f"{where}: write ```sh, else its verbs are not checked")
            if block.language == "sh":
                for offset, line in enumerate(block.text.split("\n")):
                    for verb in re.findall(r"(?:^|[;&|$(])\s*\./dev[ \t]*([\w-]*)", line):
                        if verb not in known:
                            problems.append(f"{shown}:{block.line + offset}: ./dev has no verb '{verb}'")
        text = page.read_text(encoding="utf-8")
        prose = re.sub(r"^[ \t]*(`{3,}|~{3,}).*?^[ \t]*\1[ \t]*$", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S | re.M)
        prose = re.sub(r"`[^`\n]*`", lambda m: " " * len(m.group()), prose)
        for m in re.finditer(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s*(\S+)", prose, re.M):
            link = m.group(1) or m.group(2)
            if re.match(r"[a-z][a-z+.-]*:", link):
                continue
            line = prose.count("\n", 0, m.start()) + 1
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                problems.append(f"{shown}:{line}: the link {link} leads nowhere")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                problems.append(f"{shown}:{line}: {path or 'this page'} has no heading #{anchor}")
    print("\n".join(problems) if problems else f"{len(pages(root))} pages in order")
    return 1 if problems else 0


def self_test():
    wrong = 0

    def expect(what, true):
        nonlocal wrong
        if not true:
            wrong += 1
            print(f"wrong: {what}")

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "docs").mkdir()
        (root / "dev").write_text("verb_test() { :; }\n")

        def said(text):
            (root / "README.md").write_text(text)
            result = subprocess.run([sys.executable, __file__, "check", folder], capture_output=True, text=True)
            return result.stdout if result.returncode else ""

        (root / "docs" / "other.md").write_text("# A `b` heading, twice\n\n## A b heading, twice\n")
        expect("a page in order", not said("[x](docs/other.md#a-b-heading-twice-1)\n```sh\n./dev test\n```\n"))
        expect("a dead link", "leads nowhere" in said("see [x](docs/gone.md)\n"))
        expect("a dead anchor", "no heading" in said("see [x](docs/other.md#nothing)\n"))
        expect("a link in code", not said("`[x](gone.md)`\n```cpp\nf[x](gone);\n```\n"))
        expect("an unknown verb", "no verb 'fly'" in said("```sh\n./dev fly\n```\n"))
        expect("an ignored block", "found ignore" in said("```cpp ignore\n```\n"))
        expect("another name for cpp", "write ```cpp" in said("```c++\n```\n"))
        expect("an open block", "not closed" in said("```cpp\nint x;\n"))
        (root / "src" / "pipeline").mkdir(parents=True)
        (root / "src" / "pipeline" / "metrics_text.cpp").write_text('{"x", "cairn_sink_pending_events"}, "cairn_sink_emit_seconds"')
        expect("metrics that are there", not said("`cairn_sink_pending_events`, `cairn_sink_emit_seconds_sum{sink}`\n"))
        expect("a metric that is not", "no metric cairn_sink_waiting" in said("`cairn_sink_waiting > 1`\n"))

        def compiled(text):
            """The exit codes of what the page generates: None where it does not compile."""
            (root / "README.md").write_text(text)
            out = root / "out"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            (out / "prelude.hpp").write_text("#pragma once\n#include <string>\n")
            results = []
            for target, source, fragments in generate_page(root, root / "README.md", out):
                program = out / target
                built = subprocess.run(["g++", "-std=c++20", str(source), "-o", str(program)], capture_output=True, text=True)
                if built.returncode:
                    results.append(built.stderr)
                elif fragments is not None:
                    entry = f"{program}={fragments}" if fragments else str(program)
                    results.append(subprocess.run([sys.executable, __file__, "run", str(root / "run"), entry],
                                                  capture_output=True).returncode)
            return results

        expect("a fragment that runs", compiled("```cpp\n#include <vector>\nstd::vector<int> v;\nif (!v.empty()) std::abort();\n```\n") == [0])
        expect("a fragment that aborts", compiled("```cpp\nstd::abort();\n```\n") == [1])
        expect("the second of two aborts", compiled("```cpp\nint x = 1;\n```\n```cpp\nint x = 2; std::abort();\n```\n") == [1])
        expect("compiled only", compiled("<!-- compile only -->\n```cpp\nstd::abort();\n```\n") == [])
        expect("no-run", compiled("```cpp no-run\nstd::abort();\n```\n```cpp\nint x = 1;\n```\n") == [0])
        broken = compiled("text\n\n```cpp\n\nnonsense;\n```\n")
        expect("an error names the page and its line", len(broken) == 1 and "README.md:5:" in str(broken[0]))
        expect("a program", compiled("```cpp\nint main() { return 0; }\n```\n") == [0])
        expect("a program that fails", compiled("```cpp\nint main() { return 3; }\n```\n") == [1])
        expect("file scope and setup", compiled(
            "<!-- cpp file-scope\ntemplate <class T> struct S { T t; };\n-->\n<!-- cpp setup\nS<int> log{4};\n-->\n"
            "```cpp\nif (log.t != 4) std::abort();\n```\n```cpp\nint log = 5; if (log != 5) std::abort();\n```\n") == [0])
        (root / "fine.hpp").write_text("// A header.\n//\n//   struct Shown { int x; };\n//\n// Words.\n#pragma once\n//   struct Shown;\n")
        expect("the example of a header", compiled("```cpp file-scope from=fine.hpp\n```\n```cpp\nShown{4};\n```\n") == [0])
        (root / "broken.hpp").write_text("// A header.\n//\n//   nonsense;\n#pragma once\n")
        broken = compiled("```cpp file-scope from=broken.hpp\n```\n```cpp\nint x;\n```\n")
        expect("an error in it names the header and the line", len(broken) == 1 and "broken.hpp:3:" in str(broken[0]))
        expect("an indented block", compiled("- item\n\n  ```cpp\n  std::abort();\n  ```\n") == [1])
    print(f"{wrong} judged wrongly")
    return 1 if wrong else 0


def main():
    match sys.argv[1:]:
        case ["generate", root, out]: return generate(Path(root).resolve(), Path(out).resolve())
        case ["run", folder, *programs]: return run(Path(folder), programs)
        case ["check", root]: return check(Path(root).resolve())
        case ["--self-test"]: return self_test()
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
