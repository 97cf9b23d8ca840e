#!/usr/bin/env python3
"""Checks every #include of include/ and src/ against the arrows of the design.

    include_rule.py [ROOT]         prints each violation as file:line, exits 1 if there is one
    include_rule.py --self-test    plants each kind of violation in a small tree and demands that it is found

A file of src/ belongs to the room its folder names. A header include/cairn/NAME.hpp belongs to the room that has
src/ROOM/NAME.cpp (or to the one PUBLIC_ROOMS names); else it belongs to nobody and everybody may use it. What a header of
nobody leads to is judged at the file that starts the chain. To open a door on purpose, edit the tables below.
"""
import re
import sys
import tempfile
from pathlib import Path

BASE = {"platform", "text"}  # for everybody: seams to the system, characters
VALUES = BASE | {"template", "capture"}  # what an event is made of
ROOMS = {
    "platform": {"text"},
    "text": {"platform"},
    "template": BASE | {"capture"},
    "capture": BASE | {"template"},
    "format": VALUES,
    "catalog": VALUES,
    "lane": VALUES,
    "ring": VALUES,
    "pipeline": VALUES | {"format"},
    "dispatch": VALUES | {"lane", "ring", "pipeline"},
    "sinks": VALUES | {"format"},
    "settings": VALUES | {"format", "pipeline", "sinks", "logger"},
    "integrations": VALUES | {"format", "pipeline", "sinks", "logger"},
}
ROOMS["logger"] = ROOMS["lifecycle"] = set(ROOMS) | {"logger", "lifecycle"}
MUTUAL = [{"logger", "lifecycle"}, {"template", "capture"}]  # these two may know each other; of any other two, one only

# Public headers whose room no file of the same name tells. None: a contract that everybody may use.
PUBLIC_ROOMS = {
    "cairn.hpp": "logger", "all.hpp": "logger", "log.hpp": "logger", "macros.hpp": "logger", "logger.hpp": "logger",
    "configuration.hpp": "logger", "shutdown.hpp": "lifecycle", "signals.hpp": "lifecycle", "sink.hpp": None, "event.hpp": None, "value.hpp": None,
}

# Public headers that exist for a library which only their users have; all.hpp does not reach them.
OWN_THIRD_PARTY = {"include/cairn/testing.hpp": "gmock"}

# What <cairn/cairn.hpp> may reach of the standard library.
LIGHT = set("""atomic span string_view string source_location concepts type_traits utility bit exception optional array
    initializer_list chrono bits/chrono.h cstddef cstdint cstring limits compare new typeinfo climits cassert cerrno version iosfwd
    stddef.h stdint.h string.h limits.h errno.h assert.h""".split())

STANDARD = set("""algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes
    climits clocale cmath codecvt compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef
    cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype deque exception execution filesystem format forward_list
    fstream functional future initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map
    memory memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator
    semaphore set shared_mutex source_location span sstream stack stdexcept stop_token streambuf string string_view
    strstream syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility
    valarray variant vector version cxxabi.h""".split())
SYSTEM = re.compile(r"^(sys|linux|asm|bits|netinet|arpa|net|sanitizer)/[\w/]+\.h$|^(assert|byteswap|ctype|dirent|dlfcn|elf|endian|"
                    r"errno|execinfo|fcntl|fenv|float|inttypes|limits|link|locale|malloc|math|netdb|poll|pthread|pwd|sched|"
                    r"setjmp|signal|stdarg|stddef|stdint|stdio|stdlib|string|strings|syslog|termios|time|ucontext|unistd|"
                    r"x86intrin|immintrin|emmintrin|nmmintrin|smmintrin|cpuid)\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')


def without_comments(text):
    """Blanks comments, keeps the lines; a string or character literal is not looked into."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    keep = lambda m: m.group() if m.group()[0] in "\"'" else re.sub(r"[^\n]", " ", m.group())
    return pattern.sub(keep, text)


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = {}  # path relative to the root → [(line, what is included, the file it is in the tree or None, quoted)]
        for top in ("include", "src"):
            for path in sorted((root / top).rglob("*")):
                if path.suffix in (".hpp", ".h", ".cpp", ".ipp", ".inl"):
                    self.files[path.relative_to(root).as_posix()] = None
        self.stems = {}
        for name in self.files:
            parts = name.split("/")
            if parts[0] == "src" and len(parts) >= 3 and name.endswith(".cpp"):
                self.stems.setdefault(Path(name).stem, set()).add(parts[1])
        for name in self.files:
            self.files[name] = self.read(name)

    def read(self, name):
        found = []
        text = without_comments((self.root / name).read_text(encoding="utf-8"))
        for number, line in enumerate(text.split("\n"), 1):
            if match := INCLUDE.match(line):
                what = match.group(1) or match.group(2)
                found.append((number, what, self.resolve(name, what), match.group(2) is not None))
        return found

    def resolve(self, name, what):
        for base in ((self.root / name).parent, self.root / "include", self.root / "src"):
            try:
                inside = (base / what).resolve().relative_to(self.root).as_posix()
            except ValueError:
                continue
            if inside in self.files:
                return inside
        return None

    def room(self, name):
        parts = name.split("/")
        if parts[0] == "src":
            return parts[1] if len(parts) > 2 else ""
        inside = "/".join(parts[2:])
        if inside in PUBLIC_ROOMS:
            return PUBLIC_ROOMS[inside]
        if inside.startswith("types/"):
            return None
        if inside.startswith("integrations/"):
            return "integrations"
        rooms = self.stems.get(Path(name).stem, set())
        return next(iter(rooms)) if len(rooms) == 1 else None

    def reach(self, start, through):
        """Every file that `start` leads to, with the chain; goes on only through files for which through(file) holds."""
        chains, queue = {start: [start]}, [start]
        while queue:
            name = queue.pop(0)
            if name != start and not through(name):
                continue
            for _, _, target, _ in self.files[name]:
                if target and target not in chains:
                    chains[target] = chains[name] + [target]
                    queue.append(target)
        return chains


def third_party(what):
    return what not in STANDARD and not SYSTEM.match(what) and not what.startswith("cairn/")


def check(root):
    tree = Tree(root.resolve())
    problems = []
    edges = {}
    complain = lambda name, line, text: problems.append(f"{name}:{line}: {text}")

    for name, includes in tree.files.items():
        public = name.startswith("include/")
        room = tree.room(name)
        if not public and room not in ROOMS:
            complain(name, 1, f"'{room}' is no room of the design")
            continue
        for line, what, target, quoted in includes:
            if target is None:
                if quoted or what.startswith("cairn/"):
                    complain(name, line, f"'{what}' is not in include/ or src/")
                elif third_party(what):
                    stem = Path(name).stem
                    if public:
                        own = re.match(r"include/cairn/(types|integrations)/", name) and re.split(r"[/.]", what)[0] in (stem, "boost")
                        if not own and re.split(r"[/.]", what)[0] != OWN_THIRD_PARTY.get(name):
                            complain(name, line, f"a public header includes third-party <{what}>")
                    elif not (what.startswith("fmt/") or room == "integrations"
                              or (room == "settings" and what.startswith("nlohmann/"))):
                        complain(name, line, f"<{what}> is third-party; the core links nothing but fmt")
                continue
            if public and target.startswith("src/"):
                complain(name, line, f"a public header includes {target}")
        if room is None:
            continue
        # Where the file leads by itself or through headers that belong to nobody.
        for target, chain in tree.reach(name, lambda f: tree.room(f) is None).items():
            other = tree.room(target)
            if other is None or other == room or other not in ROOMS:
                continue
            edges.setdefault((room, other), f"{name} includes {target}")
            if other not in ROOMS[room]:
                line = next(l for l, _, t, _ in includes if t == chain[1])
                way = "" if len(chain) == 2 else " by way of " + ", ".join(chain[1:-1])
                complain(name, line, f"'{room}' must not know '{other}' ({target}{way})")

    for a, b in sorted(edges):
        if a < b and (b, a) in edges and {a, b} not in MUTUAL:
            problems.append(f"'{a}' and '{b}' know each other: {edges[a, b]}; {edges[b, a]}")

    for umbrella, light in (("include/cairn/cairn.hpp", True), ("include/cairn/all.hpp", False)):
        if umbrella not in tree.files:
            continue
        for name, chain in tree.reach(umbrella, lambda f: True).items():
            for line, what, target, _ in tree.files[name]:
                if target is None and (what not in LIGHT if light else third_party(what)):
                    complain(name, line, f"<{umbrella[8:]}> must not reach <{what}> ({' → '.join(chain)})")
    return problems


PLANTS = [  # name, files, what must be said (None: nothing)
    ("clean", {}, None),
    ("template knows lane", {"src/template/parse.cpp": '#include "lane/lane.hpp"\n'}, "'template' must not know 'lane'"),
    ("capture knows pipeline", {"src/capture/a.cpp": '#include "../pipeline/queue.hpp"\n'}, "'capture' must not know 'pipeline'"),
    ("lane knows pipeline", {"src/lane/a.cpp": '#include "pipeline/queue.hpp"\n'}, "'lane' must not know 'pipeline'"),
    ("pipeline knows lane", {"src/pipeline/a.cpp": '#include "lane/lane.hpp"\n'}, "'pipeline' must not know 'lane'"),
    ("pipeline knows a sink", {"src/pipeline/a.cpp": '#include "sinks/file.hpp"\n'}, "'pipeline' must not know 'sinks'"),
    ("pipeline may know Sink", {"src/pipeline/a.cpp": '#include "cairn/sink.hpp"\n'}, None),
    ("ring knows pipeline", {"src/ring/a.cpp": '#include "pipeline/queue.hpp"\n'}, "'ring' must not know 'pipeline'"),
    ("lane knows dispatch", {"src/lane/a.cpp": '#include "dispatch/merge.hpp"\n'}, "'lane' must not know 'dispatch'"),
    ("a sink knows the logger", {"src/sinks/a.cpp": "#include <cairn/logger.hpp>\n"}, "'sinks' must not know 'logger'"),
    ("by way of a header of nobody",
     {"src/lane/a.cpp": '#include "cairn/detail/x.hpp"\n', "include/cairn/detail/x.hpp": "#include <cairn/logger.hpp>\n"},
     "by way of include/cairn/detail/x.hpp"),
    ("a public header has the room of its source",
     {"src/lane/a.cpp": '#include "cairn/breaker.hpp"\n', "include/cairn/breaker.hpp": "",
      "src/pipeline/breaker.cpp": '#include "cairn/breaker.hpp"\n'}, "'lane' must not know 'pipeline'"),
    ("in a comment", {"src/lane/a.cpp": '// #include "pipeline/queue.hpp"\n/*\n#include "pipeline/queue.hpp"\n*/\n'}, None),
    ("logger may know all", {"src/logger/a.cpp": '#include "lane/lane.hpp"\n#include "sinks/file.hpp"\n'}, None),
    ("two rooms know each other",
     {"src/text/a.cpp": '#include "platform/seam.hpp"\n', "src/platform/b.cpp": '#include "text/t.hpp"\n',
      "src/text/t.hpp": ""}, "know each other"),
    ("a template and what it captures may",
     {"src/template/a.cpp": '#include "capture/c.hpp"\n', "src/capture/c.hpp": "",
      "src/capture/b.cpp": '#include "template/t.hpp"\n', "src/template/t.hpp": ""}, None),
    ("third-party in public", {"include/cairn/x.hpp": "#include <fmt/core.h>\n"}, "includes third-party <fmt/core.h>"),
    ("third-party in types", {"include/cairn/types/fmt.hpp": "#include <fmt/core.h>\n"}, None),
    ("gmock where it belongs", {"include/cairn/testing.hpp": "#include <gmock/gmock.h>\n"}, None),
    ("gmock elsewhere", {"include/cairn/x.hpp": "#include <gmock/gmock.h>\n"}, "includes third-party <gmock/gmock.h>"),
    ("third-party through all.hpp",
     {"include/cairn/types/fmt.hpp": "#include <fmt/core.h>\n", "include/cairn/all.hpp": "#include <cairn/types/fmt.hpp>\n"},
     "must not reach <fmt/core.h>"),
    ("all.hpp may be heavy", {"include/cairn/all.hpp": "#include <vector>\n"}, None),
    ("src in public", {"include/cairn/x.hpp": '#include "lane/lane.hpp"\n'}, "a public header includes src/lane/lane.hpp"),
    ("third-party in the core", {"src/sinks/a.cpp": "#include <zlib.h>\n"}, "the core links nothing but fmt"),
    ("fmt in the core", {"src/sinks/a.cpp": "#include <fmt/format.h>\n#include <sys/stat.h>\n"}, None),
    ("a heavy header in cairn.hpp", {"include/cairn/cairn.hpp": "#include <vector>\n"}, "must not reach <vector>"),
    ("a heavy header behind cairn.hpp",
     {"include/cairn/cairn.hpp": "#include <cairn/detail/y.hpp>\n", "include/cairn/detail/y.hpp": "#include <memory>\n"},
     "must not reach <memory>"),
    ("light headers in cairn.hpp", {"include/cairn/cairn.hpp": "#include <string>\n#include <chrono>\n"}, None),
    ("no such room", {"src/misc/a.cpp": ""}, "is no room"),
    ("no such file", {"src/lane/a.cpp": '#include "lane/gone.hpp"\n'}, "is not in include/ or src/"),
]
TREE = {
    "src/lane/lane.hpp": "#include <atomic>\n", "src/pipeline/queue.hpp": '#include "platform/seam.hpp"\n',
    "src/platform/seam.hpp": "", "src/sinks/file.hpp": '#include "cairn/sink.hpp"\n', "src/dispatch/merge.hpp": "",
    "include/cairn/sink.hpp": "#include <span>\n", "include/cairn/logger.hpp": "",
}


def self_test():
    wrong = 0
    for name, files, expected in PLANTS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, text in {**TREE, **files}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            found = check(root)
        good = not found if expected is None else any(expected in p for p in found)
        if not good:
            wrong += 1
            print(f"{name}: expected {expected!r}, found {found}")
    print(f"{len(PLANTS)} planted trees, {wrong} judged wrongly")
    return wrong


def main():
    if "--self-test" in sys.argv:
        return 1 if self_test() else 0
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2]
    problems = check(root)
    print("\n".join(problems) if problems else "every include follows the arrows")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
