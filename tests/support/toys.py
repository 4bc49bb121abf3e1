"""A small project for the toy engine, built as the command builds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.command import run_build
from pipeline.build.prepare import BuildRequest, Prepared, prepare
from pipeline.plan import Plan

HEAD = """\
cuesmith: 1
project: toys
profiles:
  quiet: {sfx: {loudness: -24 LUFS}}
defaults:
  sfx: {engine: toy, formats: [wav]}
assets:
"""
WITH_MUSIC = """\
cuesmith: 1
project: toys
defaults:
  sfx: {engine: toy, formats: [wav]}
  music: {engine: toy, formats: [wav]}
assets:
"""
ONE = "  - {id: a/one, kind: sfx, prompt: hello, duration: 0.5s, variations: 2, tags: [x]}\n"
TWO = "  - {id: a/two, kind: sfx, prompt: second, duration: 0.4s}\n"
THREE = "  - {id: b/three, kind: sfx, prompt: third, duration: 0.3s}\n"


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """Asset, variation, action and reasons in words of everything that ``plan`` holds."""
    return [
        {
            "asset": asset.asset.id,
            "variation": variation.variation,
            "action": variation.action,
            "reasons": [reason.words for reason in variation.reasons],
        }
        for asset in plan.assets
        for variation in asset.variations
    ]


class ToyProject:
    """A manifest for the toy engine beside its outputs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = folder / "cues.yaml"
        self.outputs = folder / "outputs"
        self.write(ONE + TWO + THREE)

    def write(self, assets: str, head: str = HEAD) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.manifest.write_text(head + assets)

    def build(self, devices: str = "cpu", **options: Any) -> dict[str, Any]:
        """Build as the command does."""
        request = BuildRequest(
            self.manifest,
            str(self.outputs),
            options.get("profile"),
            tuple(options.get("only", ())),
            devices,
        )
        return run_build(request, quiet=True)

    def prepare(self, profile: str | None = None, only: Sequence[str] = (), **options: Any) -> Prepared:
        """The plan, and what the command reads for it."""
        return prepare(BuildRequest(self.manifest, str(self.outputs), profile, tuple(only), **options))

    def actions(self, **options: Any) -> dict[str, list[str]]:
        """Planned variations by action."""
        found: dict[str, list[str]] = {}
        for row in plan_rows(self.prepare(**options).plan):
            found.setdefault(row["action"], []).append(f"{row['asset']}_{row['variation']}")
        return found

    def reasons(self, **options: Any) -> dict[str, list[str]]:
        """Reasons by variation, of those that are not up to date."""
        return {
            f"{row['asset']}_{row['variation']}": row["reasons"]
            for row in plan_rows(self.prepare(**options).plan)
            if row["action"] != "reuse"
        }

    def library(self) -> Mapping[str, bytes]:
        """The library's files."""
        root = self.outputs / "library" / "latest"
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.name != ".version"
        }
