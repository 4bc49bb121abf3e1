"""Breaks manifests in many ways and loads each, as a program, so that its limits bind a process of its own.

``python manifest_mutator.py MANIFEST FOLDER FIRST COUNT`` copies the manifest and what it includes to FOLDER,
breaks them once for each number from FIRST, and prints one JSON object. It ends badly at the first case that
gives anything but a project or a `ManifestError`, writes anything, or goes beyond the limits.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ManifestError, Problem
from pipeline.generators import engine_keys
from pipeline.manifest import Project
from pipeline.manifest.loader import load

CASE_SECONDS = 10
MEMORY_BYTES = 2 * 2**30
JARGON = ("Input should", "validation error", "Traceback", "pydantic", "NoneType", "object at 0x")
WRITING = (
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
)
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT
OUTSIDE = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "socket.connect", "exec", "compile")

NASTY = [
    *("", "~", "null", "no", "on", "true", "1:30", "017", "0x10", "1e999", "-1e999", ".inf", ".nan", "-0"),
    *(
        "9" * 50,
        "99999999999999999999",
        "-1",
        "1.5.2",
        "40 s",
        "40 parsecs",
        "-16 LUFS",
        "NaN LUFS",
        "a" * 400,
    ),
    *("{surface}", "{", "}}", "{surface!r}", "{surface.__class__}", "{0}"),
    *("..", "../../etc/passwd", "/etc/passwd", "C:\\x", "con", "shared/defaults.yaml", "emberfall.yaml"),
    *("é", "e\u0301", "\u202e", "\ufeff", "日本語", "٣", "\x00", "\x07", "\t", "\r"),
    *("[", "{", "- ", "? ", ": ", "&a ", "*a", "!!int 3", "!!python/object/apply:os.system [ls]", "<<: *a"),
    *("|", ">", "'", '"', "#", "%", "@", "`", "---", "..."),
]

UNBREAKABLE = (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError)
"""What PyYAML makes of a text that is broken already: it stays as it is."""

Mutation = Callable[[random.Random, bytes], bytes]


def flip_bytes(rng: random.Random, data: bytes) -> bytes:
    result = bytearray(data)
    highest = rng.choice([127, 127, 256])
    for _ in range(rng.randint(1, 4)):
        result[rng.randrange(len(result))] = rng.randrange(32, highest)
    return bytes(result)


def change_words(rng: random.Random, data: bytes) -> bytes:
    words = re.split(rb"([A-Za-z]+|[0-9]+)", data)
    for _ in range(rng.randint(1, 5)):
        words[rng.randrange(1, len(words), 2)] = words[rng.randrange(1, len(words), 2)]
    return b"".join(words)


def cut_bytes(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randint(1, 200) :]


def copy_bytes(rng: random.Random, data: bytes) -> bytes:
    start, place = rng.randrange(len(data)), rng.randrange(len(data))
    piece = data[start : start + rng.randint(1, 400)]
    return data[:place] + piece * rng.choice([1, 1, 2, 50]) + data[place:]


def put_text(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data))
    piece = rng.choice(NASTY).encode("utf-8") * rng.choice([1, 1, 1, 30, 20_000])
    return data[:place] + piece + data[place:]


def change_lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(lines))
        act = rng.randrange(5)
        if act == 0:
            del lines[place]
        elif act == 1:
            lines.insert(place, rng.choice(lines))
        elif act == 2:
            lines[place] = b" " * rng.randint(0, 6) + lines[place].lstrip()
        elif act == 3:
            other = rng.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
        else:
            key, colon, _ = lines[place].partition(b":")
            lines[place] = key + colon + b" " + rng.choice(NASTY).encode("utf-8")
        lines = lines or [b""]
    return b"\n".join(lines)


def change_tree(rng: random.Random, data: bytes) -> bytes:
    tree = yaml.safe_load(data)
    for _ in range(rng.randint(1, 4)):
        _change_node(rng, tree)
    text = yaml.safe_dump(
        tree, allow_unicode=True, sort_keys=False, default_flow_style=rng.choice([None, True])
    )
    return text.encode("utf-8", "replace")


def _change_node(rng: random.Random, tree: Any) -> None:
    """Walk down at random and break what is there."""
    node = tree
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(node[key], dict | list) and rng.random() < 0.8:
            node = node[key]
            continue
        break
    act = rng.randrange(6)
    if act == 0:
        del node[key]
    elif act == 1 and isinstance(node, dict):
        node[rng.choice([str(key)[::-1], str(key) + "s", str(key).upper(), rng.choice(NASTY)])] = node.pop(
            key
        )
    elif act == 2 and isinstance(node, list):
        node.extend(node[key] for _ in range(rng.choice([1, 3, 300])))
    elif act == 3:
        for _ in range(rng.choice([1, 5, 60])):
            node[key] = rng.choice([[node[key]], {"a": node[key]}])
    elif act == 4:
        node[key] = [f"v{number}" for number in range(rng.choice([0, 3, 400]))]
    else:
        node[key] = rng.choice([*NASTY, None, 0, -1, 1e300, 10**30, [], {}, True])


MUTATIONS: list[Mutation] = [
    flip_bytes,
    change_words,
    cut_bytes,
    copy_bytes,
    put_text,
    change_lines,
    change_tree,
]


class Watch:
    """Hears every file that Python opens and every change that it asks of the system, while ``on``."""

    def __init__(self) -> None:
        self.on = False
        self.heard: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        writes = event == "open" and (
            any(letter in str(arguments[1] or "r") for letter in "wax+") or arguments[2] & WRITE_FLAGS
        )
        if writes or event in WRITING or event in OUTSIDE:
            self.heard.append(f"{event} {arguments[:2]}"[:200])


def listening(folder: Path) -> Watch:
    """A watch that is known to hear."""
    watch = Watch()
    watch.on = True
    (folder / "probe").write_bytes(b"")
    os.close(os.open(folder / "probe", os.O_WRONLY))
    (folder / "probe").unlink()
    watch.on = False
    assert len(watch.heard) == 3, watch.heard
    watch.heard.clear()
    return watch


def judge(path: Path, profile: str | None) -> str:
    """Load, and hold what comes out to the promise."""
    found: Project | tuple[Problem, ...]
    try:
        found = load(path, profile, engine_keys)
    except ManifestError as error:
        found = error.problems
    if isinstance(found, Project):
        assert len({asset.id.casefold() for asset in found.assets}) == len(found.assets)
        return "loaded"
    assert found
    assert len(found) == len(set(found))
    for problem in found:
        text = str(problem)
        assert problem.line >= 1, text
        assert problem.what, text
        assert problem.remedy, text
        assert text.isprintable(), ascii(text)
        assert not any(word in text for word in JARGON), text
    return "refused"


def limit_memory() -> None:
    """Hold this process to `MEMORY_BYTES`, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - there is none on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def run(manifest: Path, folder: Path, first: int, count: int) -> dict[str, Any]:
    """Break and load ``count`` times."""
    main, shared = folder / manifest.name, folder / "shared" / "defaults.yaml"
    shutil.copytree(manifest.parent, folder, dirs_exist_ok=True)
    sources = {main: main.read_bytes(), shared: shared.read_bytes()}
    watch, tally, slowest = listening(folder), {"loaded": 0, "refused": 0}, 0.0
    judge(main, None)
    for number in range(first, first + count):
        rng = random.Random(number)
        target = main if rng.random() < 0.85 else shared
        data = sources[target]
        for _ in range(rng.choice([1, 1, 2, 3])):
            with contextlib.suppress(*UNBREAKABLE):
                data = rng.choice(MUTATIONS)(rng, data) or b" "
        target.write_bytes(data)
        before = sorted(folder.rglob("*"))
        began = time.perf_counter()
        faulthandler.dump_traceback_later(CASE_SECONDS, exit=True)
        watch.on = True
        try:
            tally[judge(main, rng.choice([None, "prototype", "nightly", "nihgtly"]))] += 1
        except BaseException:
            print(f"case {number}", file=sys.stderr)
            raise
        finally:
            watch.on = False
            faulthandler.cancel_dump_traceback_later()
        slowest = max(slowest, time.perf_counter() - began)
        assert not watch.heard, (number, watch.heard)
        assert sorted(folder.rglob("*")) == before, number
        target.write_bytes(sources[target])
    return {"cases": count, **tally, "slowest_s": round(slowest, 3)}


if __name__ == "__main__":
    limit_memory()
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
