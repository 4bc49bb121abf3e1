"""Reading a manifest needs YAML, and none of the heavy libraries."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "torch",
    "prefect",
    "pydantic",
    "soundfile",
    "fastapi",
    "jsonschema",
)


def test_importing_the_manifest_room_imports_nothing_heavy() -> None:
    code = "import json, sys, pipeline.manifest.loader; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert modules.isdisjoint(HEAVY)


def test_the_manifest_room_imports_only_errors_and_tables() -> None:
    code = "import json, sys, pipeline.manifest.loader; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in json.loads(done.stdout) if name.startswith("pipeline.")}
    assert rooms == {"errors", "formats", "gates", "licenses", "manifest"}
