"""Every command by name: the module that has it, and its line in ``cuesmith --help``.

Only the command that is called is imported, so that `plan` never waits for what others need. A module adds its
commands in its ``register(app)``; a test keeps each line here equal to its command's own first line.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS = {
    "init": ("planning", "Make a small project that builds at once."),
    "validate": ("planning", "Check a manifest: all errors at once, each with line and fix."),
    "schema": ("planning", "Print the JSON Schema of manifests, for completion in an editor."),
    "plan": ("planning", "Show what a build would do, and why."),
    "build": ("build", "Make what is missing or changed; publish a new catalog version."),
    "catalog": ("catalog", "Read the catalog: versions, masters, where each came from."),
    "report": ("report", "Write the page on which to hear, compare and decide."),
    "review": ("review", "Approve, reject, comment on and lock masters, by name."),
    "promote": ("promote", "Point a channel to a version, through the release gate."),
    "measure": ("measure", "Measure any sound files: loudness, true and sample peak, silence."),
    "credentials": ("credentials", "Read and check the Content Credentials (C2PA) of sound files."),
    "models": ("models", "List, fetch and verify the audiocraft engine's models."),
    "verify": ("maintenance", "Hash everything again; name torn, changed and missing files."),
    "gc": ("maintenance", "Remove strays and, if asked, unused takes and old versions."),
    "doctor": ("doctor", "Tell what this machine can run, and the fix for what is not there."),
}
"""In the order in which a person meets them. Modules are those of `flows.cli`."""


class Commands(TyperGroup):
    """Typer's group, with the commands of `COMMANDS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command called ``cmd_name``, imported now; None when there is none."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in ``cuesmith --help``, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def load(name: str) -> Any:
    """The command called ``name`` as Typer makes it, from its module."""
    module = import_module(f"flows.cli.{COMMANDS[name][0]}")
    app = typer.Typer(rich_markup_mode=None, callback=lambda: None)
    module.register(app)
    group: Any = get_command(app)
    return group.commands[name]
