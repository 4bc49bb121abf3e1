"""Scores of takes: in the record, as a choice among candidates, as a limit; none unless the manifest names it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_hub import FakeHub
from quick import QuickProject
from scipy.signal import lfilter
from tiny_clap import write_clap
from typer.testing import CliRunner, Result

from flows.cli.app import app
from manifests import load, load_cached
from pipeline.audio import Clip
from pipeline.errors import MachineError, ManifestError
from pipeline.manifest.spec import ScoreSpec
from pipeline.plan import check_profiles
from pipeline.provenance import MasterRecord, master_record
from pipeline.report import write_report
from pipeline.scores import find_score, score_names
from pipeline.scores.clap import SCORE as CLAP
from pipeline.scores.clap_model import ClapScorer
from pipeline.scores.registry import open_score

HEAD = "cuesmith: 1\nproject: toys\ndefaults: {sfx: {engine: toy, formats: [wav]}}\nassets:\n"
ASSET = "  - {id: a/one, kind: sfx, prompt: hello, duration: 0.5s, candidates: 4SCORES}\n"


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    return QuickProject(tmp_path / "toys")


def write(project: QuickProject, scores: str) -> None:
    project.write(ASSET.replace("SCORES", f", scores: {scores}" if scores else ""), HEAD)


def record(project: QuickProject) -> MasterRecord:
    found = master_record(project.store, project.row("a/one")["master"])
    assert found is not None
    return found


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_without_scores_a_record_has_none_and_adding_one_only_masters_again(project: QuickProject) -> None:
    write(project, "")
    project.build()
    before = record(project)
    assert "scores" not in before
    assert all("scores" not in one for one in before["candidates"])
    write(project, "{peak: {}}")
    assert project.reasons() == {"a/one_1": ["scores changed"]}
    built = project.build()
    assert (built["generated"], built["mastered"]) == (0, 1)
    after = record(project)
    assert after["scores"] == [{"name": "peak"}]
    assert [one["take"] for one in after["candidates"]] == [one["take"] for one in before["candidates"]]
    assert after["pcm_sha256"] == before["pcm_sha256"]
    assert not project.build()["published"]
    write(project, "")
    assert project.build()["mastered"] == 0, "the first master is still in the store"
    assert record(project)["digest"] == before["digest"]


def test_a_score_that_chooses_takes_the_candidate_with_the_highest_value(project: QuickProject) -> None:
    write(project, "{peak: {choose: true}}")
    project.build()
    candidates = record(project)["candidates"]
    values = [one["scores"]["peak"] for one in candidates]
    assert len(set(values)) == 4
    assert values == sorted(values, reverse=True)
    assert project.row("a/one")["take"] == candidates[0]["take"]
    report = write_report(project.store)
    assert report.path is not None
    assert f'"scores":{{"peak":{values[0]}}}' in (report.path.parent / "details-000.js").read_text()


def test_a_take_outside_the_limits_of_a_score_fails_the_gate_and_says_so(project: QuickProject) -> None:
    write(project, "{peak: {most: 0.01}}")
    [failed] = project.build()["failed"]
    assert "the score peak is too high" in failed["reason"]
    assert "limit 0.01" in failed["reason"]
    assert "to publish it anyway, set quality: {gate: false}" in failed["reason"]
    write(project, "{peak: {least: 0.01, most: 5}}")
    assert project.build()["failed"] == []


def test_a_candidate_within_the_limits_is_chosen_before_one_with_a_higher_value(
    project: QuickProject,
) -> None:
    write(project, "{peak: {choose: true}}")
    project.build()
    values = [one["scores"]["peak"] for one in record(project)["candidates"]]
    between = (values[1] + values[2]) / 2
    write(project, f"{{peak: {{choose: true, most: {between:.5f}}}}}")
    project.build()
    assert record(project)["candidates"][0]["scores"]["peak"] == values[2]


def test_a_take_that_cannot_be_scored_fails_with_its_reason(project: QuickProject) -> None:
    project.write(ASSET.replace("0.5s", "0.1s").replace("SCORES", ", scores: {peak: {}}"), HEAD)
    [failed] = project.build()["failed"]
    assert failed["reason"] == "peak: the take is too short; ask for 0.2 s or more"


@pytest.mark.parametrize("limit", ["least: 0", "most: 0"])
def test_a_limit_of_zero_is_a_limit(project: QuickProject, limit: str) -> None:
    write(project, "{peak: {}}")
    project.build()
    write(project, f"{{peak: {{{limit}}}}}")
    assert project.actions() == {"re-master": ["a/one_1"]}
    project.build()
    assert project.actions() == {"reuse": ["a/one_1"]}


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ("peak", "scores: is a single value, not a mapping"),
        ("{peak: {best: true}}", "scores.peak.best: unknown key"),
        ("{peak: {most: high}}", "scores.peak.most: 'high' is not a number"),
        ("{peek: {}}", "a/one.scores: score 'peek' is not installed; installed scores: clap, peak, vocals"),
        ("{peak: {choose: true}, vocals: {choose: true}}", "two scores choose the candidate"),
        ("{peak: {least: 0.5, most: 0.2}}", "no take can have a peak of 0.5 or more and of 0.2 or less"),
    ],
)
def test_scores_that_cannot_be_are_reported_with_their_line(
    project: QuickProject, scores: str, said: str
) -> None:
    write(project, scores)
    with pytest.raises(ManifestError) as caught:
        check_profiles(project.manifest)
    assert f"{project.manifest}:5: " in str(caught.value)
    assert said in str(caught.value)


def test_scores_of_an_asset_come_back_from_the_cache_and_replace_those_of_defaults(
    project: QuickProject,
) -> None:
    project.write(
        "  - {id: a, kind: sfx, prompt: a, duration: 1s}\n"
        "  - {id: b, kind: sfx, prompt: b, duration: 1s, scores: {}}\n",
        HEAD.replace("[wav]", "[wav], scores: {peak: {choose: true}, clap: {least: 0.1}}"),
    )
    wanted = (ScoreSpec("clap", least=0.1), ScoreSpec("peak", choose=True))
    assert [asset.scores for asset in load(project.manifest).assets] == [wanted, ()]
    for _ in range(2):
        kept = load_cached(project.manifest, None, project.folder / "cache")
        assert [asset.scores for asset in kept.assets] == [wanted, ()]


def test_scores_are_found_by_name() -> None:
    assert score_names() == ("clap", "peak", "vocals")
    assert find_score("peak").version == "1"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clap(tmp_path_factory.mktemp("hub") / "clap")


class TestClap:
    @pytest.fixture(autouse=True)
    def models(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A model store of this test's own."""
        monkeypatch.setenv("CUESMITH_MODELS", str(tmp_path / "models"))
        open_score.cache_clear()
        yield tmp_path / "models"
        open_score.cache_clear()

    @pytest.fixture
    def hub(self, published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
        with FakeHub() as hub:
            hub.repositories[CLAP.model] = (CLAP.revision, published)
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            yield hub

    def fetch(self) -> Result:
        return run("models", "fetch", CLAP.model, "--engine", "clap")

    def test_weights_are_fetched_at_their_commit_verified_and_used_in_a_build(
        self, hub: FakeHub, models: Path, project: QuickProject
    ) -> None:
        write(project, "{clap: {choose: true}}")
        lacks = run("plan", str(project.manifest), "--outputs", str(project.outputs)).stderr
        assert f"cuesmith models fetch --engine clap {CLAP.model}" in lacks
        done = self.fetch()
        assert done.exit_code == 0, done.output
        assert {*CLAP.weights} < set(hub.downloads()) <= {*CLAP.weights, *CLAP.others}
        assert CLAP.verified_folder().is_relative_to(models)
        assert list(models.rglob("downloads/*")) == []
        assert "  installed" in run("models", "list", "--engine", "clap").stdout
        assert run("models", "verify", CLAP.model, "--engine", "clap").exit_code == 0
        asked = len(hub.requests)
        assert self.fetch().exit_code == 0, "an installed model is only verified"
        assert len(hub.requests) == asked
        project.build()
        values = [one["scores"]["clap"] for one in record(project)["candidates"]]
        assert values == sorted(values, reverse=True)
        assert all(-1 <= value <= 1 for value in values)
        assert len(set(values)) > 1
        assert len(hub.requests) == asked, "a build is offline"

    def test_damaged_weights_are_named(self, hub: FakeHub, models: Path) -> None:
        assert self.fetch().exit_code == 0
        path = CLAP.verified_folder() / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        done = run("models", "verify", "--engine", "clap")
        assert done.exit_code == 5
        assert f"{path}: SHA-256 is " in done.stderr
        with pytest.raises(MachineError, match="SHA-256 is"):
            CLAP.open()
        again = self.fetch()
        assert (again.exit_code, "the file changed: remove " in again.stderr) == (5, True)

    def test_a_download_that_arrives_with_other_bytes_leaves_nothing_installed(
        self, hub: FakeHub, models: Path
    ) -> None:
        hub.spoil = "model.safetensors"
        done = self.fetch()
        assert done.exit_code == 4
        assert list(models.rglob("model.json")) == []
        hub.spoil = None
        assert self.fetch().exit_code == 0

    def test_a_take_has_the_same_value_again_and_another_for_another_prompt(self, published: Path) -> None:
        scorer = ClapScorer(published)
        noise = np.random.default_rng(1).standard_normal((2, 48_000 * 5)).astype("float32")
        clip = Clip(noise * np.float32(0.1), 48_000)
        values = [scorer.score(clip, prompt) for prompt in ("calm harp", "calm harp", "a heavy door " * 200)]
        assert values[0] == values[1] != values[2]
        assert scorer.score(Clip(clip.samples[:, :2000], 48_000), "calm harp") == pytest.approx(0, abs=1)

    def test_an_unknown_model_is_refused(self) -> None:
        done = run("models", "fetch", "laion/other", "--engine", "clap")
        assert done.exit_code == 2
        assert f"available: {CLAP.model}" in done.stderr


def spoken(seconds: float = 3.0, rate: int = 16_000, seed: int = 3) -> Clip:
    """Syllables: a voice's pulses through the formants of five vowels."""
    random = np.random.default_rng(seed)
    vowels = ((700, 1220, 2600), (300, 2200, 3000), (450, 800, 2600), (550, 1800, 2500), (330, 900, 2300))
    parts: list[Any] = []
    while sum(map(len, parts)) < seconds * rate:
        time = np.arange(int(random.uniform(0.12, 0.25) * rate)) / rate
        pitch = random.uniform(100, 140) * (1 + 0.15 * np.sin(np.pi * time / time[-1]))
        phase = np.cumsum(pitch) / rate % 1
        sound = (np.diff(phase, prepend=0) < -0.5) + random.standard_normal(len(time)) * 0.003
        for formant, width in zip(vowels[random.integers(5)], (80, 90, 120), strict=True):
            decay = np.exp(-np.pi * width / rate)
            turn = 2 * decay * np.cos(2 * np.pi * formant / rate)
            sound = lfilter([1 - decay], [1, -turn, decay**2], sound)
        edge = np.minimum(np.arange(len(time)), np.arange(len(time))[::-1]) / (0.03 * rate)
        parts += [sound * np.minimum(1, edge), np.zeros(int(random.uniform(0, 0.08) * rate))]
    voice = np.concatenate(parts)
    return Clip((voice / np.abs(voice).max() * 0.5)[np.newaxis].astype("float32"), rate)


def test_vocals_hear_a_voice_and_none_in_noise_or_a_tone() -> None:
    scorer = find_score("vocals").open()
    noise = np.random.default_rng(1).standard_normal((2, 96_000)).astype("float32") * np.float32(0.1)
    tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)[np.newaxis].astype("float32")
    assert scorer.score(spoken(), "") > 0.3
    assert scorer.score(Clip(noise, 48_000), "") == 0.0
    assert scorer.score(Clip(tone, 48_000), "") == 0.0
    assert scorer.score(spoken(), "") == scorer.score(spoken(), "")


def test_a_limit_for_vocals_is_a_gate(project: QuickProject, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "{vocals: {most: 0.1}}")
    assert project.build()["failed"] == []
    assert all(one["scores"] == {"vocals": 0.0} for one in record(project)["candidates"])
    before = json.loads(json.dumps(record(project)))
    shutil.rmtree(project.outputs)
    monkeypatch.setattr(type(open_score("vocals")), "score", lambda self, clip, prompt: 0.4)
    [failed] = project.build()["failed"]
    assert "the score vocals is too high" in failed["reason"]
    assert before["scores"] == [{"name": "vocals", "most": 0.1}]
