"""The shape of the code: who imports whom, and where an import may stand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = sorted(path for room in ("flows", "pipeline") for path in (ROOT / room).rglob("*.py"))
LATE = {
    "flows/cli/app.py": "the command that is called",
    "flows/cli/completion.py": "the catalog, when a shell asks for words",
    "flows/cli/output.py": "reports for CI, if a command was asked for them",
    "flows/runners.py": "Ray, when a build asks for it",
    "pipeline/build/worker.py": "pictures for the report, after the first master",
    "pipeline/generators/audiocraft/decoding/backends.py": "the modules of the device, when it is chosen",
    "pipeline/generators/audiocraft/installed_models.py": "torch, when the machine is checked",
    "pipeline/generators/audiocraft/probe.py": "the decoder, which needs AudioCraft, once that is known to be there",
    "pipeline/generators/audiocraft/import_shims.py": "AudioCraft, with substitutes for missing packages",
    "pipeline/generators/diffusers/engine.py": "diffusers, when the machine is checked",
    "pipeline/generators/torch_engine.py": "torch and the hub, when the engine is opened or fetches models",
    "pipeline/generators/registry.py": "the engine or the score that is asked for",
    "pipeline/generators/sketch/engine.py": "numpy and scipy, when the engine is opened",
    "pipeline/manifest/files.py": "the audio reader, when a manifest names a sound",
    "pipeline/manifest/lazy_imports.py": "YAML and the table of keys, when a manifest is read",
    "pipeline/generators/published_model.py": "the hub, when weights are fetched",
    "pipeline/scores/clap.py": "torch and transformers, when the score is opened",
    "pipeline/scores/vocals.py": "torch and silero-vad, when the score is opened",
    "pipeline/watermarks/audioseal.py": "torch and AudioSeal, when weights are fetched or a sound is marked",
    "pipeline/store/local.py": "locks and object stores, when they are used",
}
"""Files that may import by name, and what for."""
BEHIND_STAND_INS = {"audiocraft", "transformers"}
"""What the audiocraft room may import inside a function: it cannot be imported before its stand-ins are in place."""


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in CODE:
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imports_inside_functions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and package of each import statement anywhere inside a function."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    for node in (
        inner for outer in ast.walk(tree) if isinstance(outer, functions) for inner in ast.walk(outer)
    ):
        if isinstance(node, ast.ImportFrom):
            yield node.lineno, (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)


def allowed_inside_functions(name: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Those of a command's body, and those that must wait for stand-ins."""
    if name.startswith("flows/cli/"):
        for function in tree.body:
            if isinstance(function, ast.FunctionDef) and any(
                ast.unparse(one).partition("(")[0] in ("command", "group.command")
                for one in function.decorator_list
            ):
                yield from imports_inside_functions(ast.Module([function], []))
    if name.startswith("pipeline/generators/audiocraft/"):
        yield from (found for found in imports_inside_functions(tree) if found[1] in BEHIND_STAND_INS)


def imports_by_name(tree: ast.Module) -> bool:
    names = {"import_module", "__import__", "importlib"}
    return any(
        (isinstance(node, ast.Name) and node.id in names)
        or (isinstance(node, ast.Attribute) and node.attr in names)
        for node in ast.walk(tree)
    )


def test_the_rooms_know_only_those_below_them() -> None:
    # In a process of its own: it disables every logger of this one.
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_imports_stand_at_the_top_of_a_file_or_in_a_commands_body() -> None:
    found = {
        f"{name}:{line}"
        for name, tree in trees()
        for line, _ in set(imports_inside_functions(tree)) - set(allowed_inside_functions(name, tree))
    }
    assert found == set()


def test_modules_are_imported_by_name_only_where_it_is_said_why() -> None:
    assert {name for name, tree in trees() if imports_by_name(tree)} == set(LATE)
