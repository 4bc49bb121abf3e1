"""A page of the docs fails its test if a command, its exit code, its output or a change of a file is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_pages import has_commands, run_page

GOOD = """
```yaml
# cues.yaml
cuesmith: 1
project: game
assets:
  - {id: sfx/door, kind: sfx, prompt: a door, duration: 1 sek}
```
```console
$ cuesmith validate  # exit code 2
error: cues.yaml:4: …
```
```diff
# cues.yaml
-  - {id: sfx/door, kind: sfx, prompt: a door, duration: 1 sek}
+  - {id: sfx/door, kind: sfx, prompt: a door, duration: 1s}
```
```yaml
# cues.yaml, at the end
  - {id: sfx/gate, kind: sfx, prompt: a gate, duration: 1s}
```
```console
$ cuesmith validate
cues.yaml:  2 assets, no problems …
```
"""


def _run(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    assert has_commands(page)
    run_page(page, tmp_path, {})


def test_a_page_writes_files_and_compares_what_commands_print(tmp_path: Path) -> None:
    _run(GOOD, tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("2 assets", "3 assets", "the page shows"),
        ("error: cues.yaml:4: …\n", "error: cues.yaml:4: …\nand more\n", "the page shows"),
        ("  # exit code 2", "", "is not a duration"),
        ("exit code 2", "exit code 1", "is not a duration"),
        ("-  - {id: sfx/door", "-  - {id: sfx/window", "has these lines 0 times"),
        ("cuesmith validate\ncues", "ls\ncues", "ls"),
    ],
)
def test_a_page_with_something_wrong_fails(tmp_path: Path, right: str, wrong: str, complaint: str) -> None:
    assert GOOD.count(right) == 1
    with pytest.raises(AssertionError, match=complaint):
        _run(GOOD.replace(right, wrong), tmp_path)
