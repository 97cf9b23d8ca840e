"""What ./dev run --verify says of a log in which one byte is not what was written.

  flipped_bytes.py PROGRAM FOLDER    audits a small database, then flips bytes of the log, one at a time: each must fail

A flip after which an event still holds the same (a letter of \\u001B) is not one; Python's JSON reader is the judge.
"""
import json
import pathlib
import random
import shutil
import subprocess
import sys

FLIPS = 50


def database():
    """Sixty packages: odd ones, long ones, ones with hostile bytes."""
    for i in range(60):
        yield f"Package: package-{i}"
        yield "Status: deinstall ok config-files" if i % 7 == 3 else "Status: install ok installed"
        if i % 5:
            yield "Maintainer: Somebody <somebody@example.org>"
        yield f"Installed-Size: {'many' if i == 11 else 250000 + i * 37 if i % 9 == 4 else i}"
        yield f"Architecture: {'all' if i % 2 else 'amd64'}"
        yield f"Version: 1:{i}.0~beta\u00e9\u202e\\\"{i}\t{'x' * (i * 6)}"
        yield f"Depends: package-{(i + 1) % 60} (>= 1.0), absent-{i} | package-{(i + 2) % 60}, {', '.join(f'lib{k}' for k in range(i % 12))}"
        if i % 3 == 0:
            yield f"Source: source-{i} (1.{i})"
        yield ""


def meaning(data):
    """What the lines hold, or nothing when they are no events."""
    try:
        text = data.decode("utf-8")
        lines = text.split("\n")
        if lines.pop() != "":
            return None
        return [repr(json.loads(line, object_pairs_hook=lambda pairs: sorted(pairs, key=repr))) for line in lines]
    except ValueError:
        return None


def main(program, folder):
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "status").write_text("\n".join(database()) + "\n", encoding="utf-8")
    out = folder / "out"
    audited = subprocess.run(
        [program, "--status", folder / "status", "--out", out, "--allow", folder / "none"], capture_output=True, text=True, errors="replace"
    )
    if audited.returncode != 0:
        sys.exit(f"the audit failed:\n{audited.stdout}{audited.stderr}")

    def verify():
        return subprocess.run([program, "--verify", out], capture_output=True, text=True, errors="replace")

    def must_hold(when):
        result = verify()
        if result.returncode != 0:
            sys.exit(f"{when} the log is refused:\n{result.stderr}")

    must_hold("untouched")
    files = sorted(out.glob("*.clef"))
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}, {len(files)} files")
    choose = random.Random(seed)
    flipped = 0
    while flipped < FLIPS:
        path = choose.choice(files)
        whole = path.read_bytes()
        at = choose.randrange(len(whole))
        other = whole[at] ^ choose.randrange(1, 256)
        changed = whole[:at] + bytes([other]) + whole[at + 1 :]
        if meaning(changed) == meaning(whole):
            continue
        flipped += 1
        path.write_bytes(changed)
        result = verify()
        path.write_bytes(whole)
        if result.returncode == 0:
            line = whole.count(b"\n", 0, at) + 1
            sys.exit(f"NOT SEEN: {path.name}:{line}: byte {at} was {whole[at]:#x}, is {other:#x}")
        if not result.stderr.strip():
            sys.exit("a log was refused without a word of what is wrong")
    must_hold("restored")

    # whole lines: one gone, one twice, two that changed places
    path = files[1]
    lines = path.read_bytes().splitlines(keepends=True)
    for name, edited in (
        ("a line is gone", lines[:3] + lines[4:]),
        ("a line is there twice", lines[:4] + lines[3:]),
        ("two lines changed places", lines[:3] + [lines[4], lines[3]] + lines[5:]),
        ("the last line is gone", lines[:-1]),
        ("a name comes twice", lines[:3] + [lines[3].replace(b'{"', b'{"@mt":"another","', 1)] + lines[4:]),
        ("a blank is before a line", lines[:3] + [b" " + lines[3]] + lines[4:]),
        ("a blank is between a name and its value", lines[:3] + [lines[3].replace(b'":', b'": ', 1)] + lines[4:]),
    ):
        path.write_bytes(b"".join(edited))
        if verify().returncode == 0:
            sys.exit(f"NOT SEEN: {name}")
    path.write_bytes(b"".join(lines))
    must_hold("restored")
    print(f"{flipped} flipped bytes and 7 edits of lines, each was seen")


main(sys.argv[1], sys.argv[2])
