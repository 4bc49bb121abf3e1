"""The cache of compiled manifests: always the same answer as the files themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_texts import write_sound
from properties import ONE_FIXTURE_FOR_ALL

from manifests import load, load_cached
from pipeline.errors import ManifestError
from pipeline.generators import engine_keys
from pipeline.generators.audiocraft.manifest_keys import keys_of
from pipeline.manifest import Project, compiled, loader
from pipeline.manifest.compiled import pack, unpack

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in (ROOT / "manifests").glob("*.yaml"))
MANIFEST = """\
cuesmith: 1
project: cached
include: [shared/base.yaml]
profiles:
  loud: {sfx: {loudness: -10 LUFS}}
assets:
  - {id: a/one, kind: sfx, prompt: hello, duration: 0.5s, tags: [x]}
  - {id: a/two, kind: music, prompt: carry on, duration: 9s, melody: audio/tune.wav}
"""
BASE = "cuesmith: 1\ndefaults: {sfx: {formats: [wav, ogg]}}\n"

FOLDER = Path()
"""Where each test keeps its compiled manifests."""

Misses = Callable[[], int]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys.modules[__name__], "FOLDER", tmp_path / "cache")
    return FOLDER


def cached(path: Path, profile: str | None = None) -> Project:
    return load_cached(path, profile, FOLDER)


@pytest.fixture
def manifest(tmp_path: Path, cache: Path) -> Path:
    folder = tmp_path / "game"
    (folder / "shared").mkdir(parents=True)
    (folder / "audio").mkdir()
    (folder / "cues.yaml").write_text(MANIFEST)
    (folder / "shared" / "base.yaml").write_text(BASE)
    write_sound(folder / "audio" / "tune.wav", seconds=6)
    return folder / "cues.yaml"


@pytest.fixture
def misses(monkeypatch: pytest.MonkeyPatch) -> Misses:
    """How often the files themselves were read since the last time that this was asked."""
    read: list[Path] = []
    real = loader.load_with_files

    def counted(path: Path, *options: Any) -> object:
        read.append(path)
        return real(path, *options)

    monkeypatch.setattr(loader, "load_with_files", counted)

    def count() -> int:
        found = len(read)
        read.clear()
        return found

    return count


def exact(project: Project) -> str:
    """All of a project, with the type of every number."""
    return repr(project)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_cached_example_is_the_example(path: Path, cache: Path, misses: Misses) -> None:
    for profile in (None, *loader.profile_names(path, engine_keys)):
        expected = exact(load(path, profile))
        misses()
        assert exact(cached(path, profile)) == expected
        assert misses() == 1
        assert exact(cached(path, profile)) == expected
        assert misses() == 0


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
quoted = words.map(lambda text: "'" + text.replace("'", "''").replace("{", "").replace("}", "") + "x'")
assets = st.fixed_dictionaries(
    {"kind": st.sampled_from(["music", "sfx"]), "prompt": quoted, "duration": st.integers(10, 200)},
    optional={
        "bpm": st.sampled_from(["92", "92.5", "null"]),
        "loop": st.sampled_from(["true", "false"]),
        "trim": st.just("false"),
        "tags": st.lists(quoted, max_size=3, unique=True).map(lambda tags: f"[{', '.join(tags)}]"),
        "variations": st.integers(1, 5),
        "seed": st.integers(0, 2**53 - 1),
        "sampling": st.sampled_from(["{temperature: 1}", "{temperature: 0.5, top_k: 20}", "{cfg: 3}"]),
        "ucs": st.sampled_from(["{category: FOOTHmn}", "{category: UIClick, name: Soft}"]),
        "loudness": st.sampled_from(["-16", "-16.25 LUFS"]),
        "bit_depth": st.sampled_from(["16", "24", "float"]),
        "melody": st.just("audio/tune.wav"),
        "style": st.sampled_from(["audio/tune.wav", "{file: audio/tune.wav, at: 2s, codebooks: 1}"]),
        "decoder": st.sampled_from(["encodec", "mbd"]),
    },
)


@settings(suppress_health_check=ONE_FIXTURE_FOR_ALL)
@given(entries=st.lists(assets, max_size=6))
def test_a_packed_project_is_the_project(entries: list[dict[str, object]], manifest: Path) -> None:
    lines = "".join(
        f"  - {{id: a/{place}, {', '.join(f'{key}: {value}' for key, value in entry.items())}}}\n"
        for place, entry in enumerate(entries)
    )
    manifest.write_text("cuesmith: 1\nproject: packed\nassets:\n" + (lines or "  []\n"), encoding="utf-8")
    project = load(manifest)
    again = cached(manifest)
    assert exact(again) == exact(project)
    assert exact(cached(manifest)) == exact(project)
    assert exact(unpack(pack(again))) == exact(project)


def test_equal_parts_stay_one_object(manifest: Path) -> None:
    manifest.write_text(MANIFEST + "  - {id: a/three, kind: sfx, prompt: again, duration: 0.5s}\n")
    cached(manifest)
    one, three, _ = cached(manifest).assets
    assert one.mastering is three.mastering


@pytest.mark.parametrize("name", ["cues.yaml", "shared/base.yaml", "audio/tune.wav"])
def test_a_change_of_any_file_is_seen(name: str, manifest: Path, misses: Misses) -> None:
    before = cached(manifest)
    path = manifest.parent / name
    if path.suffix == ".wav":
        write_sound(path, seconds=7)
    else:
        path.write_bytes(path.read_bytes() + b"\n")
    after = cached(manifest)
    assert misses() == 2
    assert exact(after) == exact(load(manifest))
    assert exact(after) != exact(before)


def test_a_file_changed_without_a_trace_in_size_or_time_is_seen(manifest: Path) -> None:
    cached(manifest)
    status = manifest.stat()
    manifest.write_text(MANIFEST.replace("hello", "jello"))
    os.utime(manifest, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cached(manifest).assets[0].prompt == "jello"


@pytest.mark.parametrize("name", ["cues.yaml", "shared/base.yaml", "audio/tune.wav"])
def test_a_file_that_vanished_is_missed(name: str, manifest: Path) -> None:
    cached(manifest)
    (manifest.parent / name).unlink()
    with pytest.raises(ManifestError):
        cached(manifest)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("name", ["shared/base.yaml", "audio/tune.wav"])
def test_a_link_that_leads_elsewhere_now_is_seen(name: str, manifest: Path, misses: Misses) -> None:
    file = manifest.parent / name
    first, second = file.with_name("first"), file.with_name("second")
    shutil.copy(file, second)
    file.rename(first)
    file.symlink_to(first)
    cached(manifest)
    cached(manifest)
    assert misses() == 1
    file.unlink()
    file.symlink_to(second)
    assert exact(cached(manifest)) == exact(load(manifest))
    assert misses() == 2


def test_profiles_and_copies_are_apart(manifest: Path) -> None:
    plain, loud = cached(manifest), cached(manifest, "loud")
    assert (plain.assets[0].mastering.loudness_lufs, loud.assets[0].mastering.loudness_lufs) == (-23, -10)
    copy = manifest.parent.parent / "copy"
    shutil.copytree(manifest.parent, copy)
    assert keys_of(cached(copy / "cues.yaml").assets[1]).melody != keys_of(plain.assets[1]).melody


def test_problems_are_found_every_time(manifest: Path, cache: Path) -> None:
    manifest.write_text(MANIFEST.replace("kind: sfx", "knd: sfx"))
    for _ in range(2):
        with pytest.raises(ManifestError):
            cached(manifest)
    assert not cache.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"hello", b"jello"),
        lambda data: b"{}\n{}",
        lambda data: data.partition(b"\n")[2],
        lambda data: compiled._checksum(b"[]") + b"\n[]",
        lambda data: compiled._checksum(b'{"files":[[1]]}') + b'\n{"files":[[1]]}',
    ],
)
def test_a_damaged_entry_is_replaced(
    damage: Callable[[bytes], bytes], manifest: Path, cache: Path, misses: Misses
) -> None:
    expected = exact(cached(manifest))
    [entry] = cache.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert exact(cached(manifest)) == expected
    assert misses() == 2
    assert exact(cached(manifest)) == expected
    assert misses() == 0


def test_another_release_reads_the_manifest_again(
    manifest: Path, misses: Misses, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(manifest)
    monkeypatch.setattr(compiled, "__version__", "99.0")
    cached(manifest)
    assert misses() == 2


def test_one_manifest_keeps_one_entry(manifest: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for release in ("97.0", "98.0", "99.0"):
        monkeypatch.setattr(compiled, "__version__", release)
        manifest.write_text(MANIFEST.replace("hello", release))
        assert cached(manifest).assets[0].prompt == release
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_cannot_be_written_harms_nobody(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FOLDER.write_text("in the way")
    assert exact(cached(manifest)) == exact(cached(manifest)) == exact(load(manifest))


def test_processes_that_load_at_once_agree_and_leave_one_entry(manifest: Path, cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.manifest import compiled, load_cached\n"
        "from pipeline.generators import engine_keys\n"
        "for _ in range(30):\n"
        "    print(hash(repr(load_cached(Path(sys.argv[1]), None, Path(sys.argv[2]), engine_keys))))\n"
        "    compiled._entry(Path(sys.argv[1]), None, Path(sys.argv[2])).unlink(missing_ok=True)\n"
    )
    command = [sys.executable, "-c", code, str(manifest), str(cache)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    running = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0].split() for process in running]
    assert len(set(said[0] + said[1])) == 1
    assert [len(lines) for lines in said] == [30, 30]
    assert [entry for entry in cache.iterdir() if entry.suffix == ".tmp"] == []
