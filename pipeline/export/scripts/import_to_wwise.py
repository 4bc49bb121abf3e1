"""Imports a Cuesmith pack into the project that is open in Wwise, and reads the log: failed items give no error.

Run it with Python 3.8 or later while Wwise is open: python import_to_wwise.py [--url http://127.0.0.1:8090/waapi]
In Wwise, enable the Wwise Authoring API over HTTP: Project > User Preferences > Enable Wwise Authoring API.
It needs wwise_import.json beside it. Exit codes: 0 all imported, 1 some failed, 2 no connection or wrong version.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
CONTAINERS_SINCE = 2025
BATCH_SIZE = 200
CHANNELS = ("general", "waapi")
FAILURES = ("Error", "Fatal Error")


def call(url: str, uri: str, arguments: dict[str, Any], options: dict[str, Any] | None = None) -> Any:
    """The result of one WAAPI call over HTTP. Raises `OSError` without a connection, `RuntimeError` on an error."""
    body = json.dumps({"uri": uri, "args": arguments, "options": options or {}}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        raise RuntimeError(f"{uri}: {text}") from error


def log_items(url: str) -> list[dict[str, Any]]:
    """Every item of the logs in which an import reports."""
    return [
        item
        for channel in CHANNELS
        for item in call(url, "ak.wwise.core.log.get", {"channel": channel})["items"]
    ]


def version_problem(url: str, imports: list[dict[str, Any]]) -> str | None:
    """Why the root of the objects does not exist in this version of Wwise; None if it does."""
    year = call(url, "ak.wwise.core.getInfo", {})["version"]["year"]
    is_new = bool(imports) and imports[0]["objectPath"].startswith("\\Containers")
    if is_new and year < CONTAINERS_SINCE:
        return f"this pack is for Wwise 2025.1 and later, this is {year}; export again: cuesmith export wwise2024"
    if not is_new and imports and year >= CONTAINERS_SINCE:
        return f"this pack is for Wwise before 2025.1, this is {year}; export again: cuesmith export wwise"
    return None


def key_of(item: dict[str, Any]) -> tuple[Any, ...]:
    """Tells one item of the log from another."""
    return tuple(str(item.get(name)) for name in ("time", "messageId", "message"))


def import_pack(url: str) -> list[str]:
    """Import the batch in one undo step; returns what failed, from the log and from what is not there afterwards."""
    batch = json.loads((FOLDER / "wwise_import.json").read_text(encoding="utf-8"))
    imports = batch["imports"]
    problem = version_problem(url, imports)
    if problem is not None:
        raise SystemExit(f"error: {problem}")
    for item in imports:
        if "audioFile" in item:
            item["audioFile"] = str(FOLDER / item["audioFile"])
    known = {key_of(item) for item in log_items(url)}
    found: set[str] = set()
    call(url, "ak.wwise.core.undo.beginGroup", {})
    try:
        for start in range(0, len(imports), BATCH_SIZE):
            part = {**batch, "imports": imports[start : start + BATCH_SIZE]}
            made = call(url, "ak.wwise.core.audio.import", part, {"return": ["path"]})
            found.update(entry["path"] for entry in made.get("objects", []))
    finally:
        call(url, "ak.wwise.core.undo.endGroup", {"displayName": "Import of a Cuesmith pack"})
    failed = [
        str(item["message"])
        for item in log_items(url)
        if item["severity"] in FAILURES and key_of(item) not in known
    ]
    paths = (plain_path(item["objectPath"]) for item in imports)
    return failed + [f"{path} was not imported" for path in paths if path not in found]


def plain_path(path: str) -> str:
    """The path of an object without the types in angle brackets."""
    return "\\".join(part.rpartition(">")[2] for part in path.split("\\"))


def main() -> int:
    """Run the import and print what failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8090/waapi", help="The address of WAAPI over HTTP."
    )
    try:
        failed = import_pack(parser.parse_args().url)
    except (OSError, RuntimeError) as error:
        print(f"error: {error}; open the project in Wwise and enable WAAPI over HTTP", file=sys.stderr)
        return 2
    for line in failed:
        print(line, file=sys.stderr)
    print(f"{len(failed)} problems" if failed else "all objects were imported")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
