"""Examples at the end of each command's ``--help``: what to type, and what it does."""

from __future__ import annotations

import re

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "init": (("init mygame", "a project in the folder mygame"),),
    "validate": (
        ("validate", "the manifest of this folder"),
        ("validate manifests/forest.yaml --profile nightly", "one manifest with one of its profiles"),
    ),
    "schema": (("schema --write cues.schema.json", "the schema in a file, for an editor"),),
    "plan": (
        ("plan", "what the next build would do"),
        ("plan --only 'music/*' --full", "only music, one line for each variation"),
        ("plan --check", "in CI: fails if the catalog is not up to date"),
    ),
    "build": (
        ("build", "make what is missing or changed"),
        ("build --only 'footsteps/*'", "only the footsteps"),
        ("build manifests/forest.yaml --profile nightly --max-minutes 360", "at night, for six hours"),
    ),
    "audition": (
        (
            "audition --asset music/theme --engines sketch,audiocraft --candidates 2",
            "two takes of each engine on one page",
        ),
    ),
    "catalog show": (
        ("catalog show", "all masters of the latest version"),
        ("catalog show 'footsteps/*' --state unreviewed", "footsteps that nobody has reviewed"),
        ("catalog show ui/click --provenance", "where one sound came from"),
    ),
    "catalog history": (("catalog history ui/click", "every change and review of one asset"),),
    "catalog diff": (("catalog diff 3 4", "what changed from version 3 to version 4"),),
    "catalog table": (("catalog table --format parquet --output catalog.parquet", "a table for DuckDB"),),
    "catalog rollback": (
        ("catalog rollback --because 'the theme is broken'", "latest at the version before"),
    ),
    "report": (
        ("report --open", "the latest version in the browser"),
        ("report --self-contained to-send", "a folder to send, with all sounds"),
    ),
    "review": (
        ("review", "review in the browser"),
        ("review approve 'footsteps/*' -m 'good gravel'", "approve from the terminal"),
        ("review reroll ui/click", "another take at the next build"),
    ),
    "promote": (
        ("promote 42 --channel release", "release version 42 if the gate passes"),
        (
            "promote 42 --channel release --override unapproved --because 'demo on Friday'",
            "release it in spite of one reason",
        ),
    ),
    "export": (
        ("export godot --to ../game/audio", "the latest version in a Godot project"),
        ("export unity --to ../game/Assets/Audio --channel release --profile mobile", "for phones"),
    ),
    "disclose": (("disclose --to disclosure --channel release", "documents about the released version"),),
    "measure": (("measure outputs/library/latest/ui/*.wav", "loudness and peaks of some files"),),
    "credentials verify": (
        ("credentials verify outputs/library/latest/ui/*.wav", "who signed, and if unchanged"),
    ),
    "models fetch": (("models fetch facebook/musicgen-small", "download one model"),),
    "verify": (
        ("verify", "check every file of the store"),
        ("verify --repair", "restore what has a copy"),
    ),
    "gc": (
        ("gc --dry-run", "what would be removed"),
        ("gc --unused-takes --keep 5", "also old versions, except the newest five"),
    ),
}
"""By command: arguments of ``cuesmith``, and what they do."""

_WIDEST = 54
"""Examples longer than this go on below, so that a narrow terminal does not cut them."""
_WORDS = re.compile(r" *(?:'[^']*'|[^' ])+")


def examples_text(command: str) -> str:
    """The examples of ``command`` as the end of its help; empty if it has none."""
    lines = [f"  # {what}\n  {_folded(f'cuesmith {words}')}" for words, what in EXAMPLES.get(command, ())]
    # Typer keeps the lines of a paragraph that begins with \b.
    return "\b\nExamples:\n" + "\n".join(lines) if lines else ""


def _folded(line: str) -> str:
    """``line`` in lines that a shell reads as one.

    >>> print(_folded("cuesmith promote 42 --channel release --because 'demo on Friday'"))
    cuesmith promote 42 --channel release --because \\
          'demo on Friday'
    """
    lines = [""]
    for word in _WORDS.findall(line):
        if len(lines[-1] + word) > _WIDEST:
            lines.append(f"     {word}")
        else:
            lines[-1] += word
    return " \\\n".join(lines)
