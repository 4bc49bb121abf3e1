"""A whole build: the real flow and the real slot decoder, on a small checkpoint with random weights and 32 slots.

``python -m benchmarks.build --quick --json`` builds the mixed manifest of `decode_models` (300 cues) with one and with
two generating workers, each on one thread, and with one mastering process, and prints one object:

- ``slot_use_1``, ``slot_use_2``: share of the slots in use, from a device's first take to the last take of all; the
  lowest of its devices;
- ``wall_over_bound``: seconds of the whole command with one worker, over the larger of generating alone and mastering
  alone;
- ``overhead_s``: seconds of that command in which nothing was generated or mastered.

``--scaling`` measures a fake engine instead that sleeps as a GPU would: seconds of audio that 2, 4 and 8 workers make
in a second over those of one (``scale_2``, ``scale_4``, ``scale_8``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.build.prepare import BuildRequest, prepare
from pipeline.generators import find_engine
from pipeline.generators.devices import processor_name

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "benchmarks"), str(ROOT / "tests" / "support")]

MIX = ((0.60, 1.0, 5.0), (0.25, 3.0, 8.0), (0.15, 20.0, 30.0))
"""Share of the cues, shortest and longest in seconds, as in `decode_models`."""
HEAD = """\
cuesmith: 1
project: bench
defaults:
  music:
    {{engine: slots32, model: "{model}", formats: [wav], sample_rate: 32000, channels: 1,
      loudness: {loudness} LUFS, quality: {{gate: false}}}}
assets:
"""
PLUGIN = """\
\"\"\"The audiocraft engine with 32 slots for a small model too.\"\"\"

from pipeline.generators.audiocraft import engine, estimates

estimates.SLOTS_WHEN_SMALL = 32


class Slots32(engine.AudioCraftEngine):
    name = "slots32"


ENGINE = Slots32()
"""


SLEEPER = """\
\"\"\"An engine that sleeps as a GPU would: 8 slots that step together, 10 ms a step, 50 steps a second of audio.\"\"\"

import time

from pipeline.generators import Estimate, GeneratedTake, ModelInfo, Requirements

MODEL = ModelInfo("sleeper", "1", "MIT", True, 8000, 1, False, True)


class Engine:
    name, version, device_kinds = "sleeper", "1", ("cpu",)

    def requirements(self, asset):
        return Requirements(MODEL, asset.duration_s)

    def devices(self):
        return ("cpu",)

    def cost(self, recipe):
        return recipe.seconds

    def open(self, device):
        return Generator()


class Generator:
    def stream(self, source, audio):
        import numpy as np

        from pipeline.audio import Clip

        source.use_slots(8)
        slots = {}
        step_ends = time.monotonic()
        while True:
            while len(slots) < 8 and (recipe := source.next()) is not None:
                source.begin(recipe)
                slots[recipe.digest] = [recipe, round(50 * recipe.seconds)]
            if not slots:
                return
            # A GPU has its next steps queued, so a host that is late for one does not delay the others.
            now = time.monotonic()
            step_ends = max(step_ends, now - 0.1) + 0.01
            time.sleep(max(0.0, step_ends - now))
            for slot in list(slots.values()):
                slot[1] -= 1
                if slot[1] <= 0:
                    recipe = slots.pop(slot[0].digest)[0]
                    source.end(recipe)
                    noise = np.random.default_rng(recipe.seed).standard_normal((1, 800)) * 0.1
                    yield recipe, GeneratedTake(Clip(noise.astype("float32"), 8000))

    def software(self):
        return {}

    def close(self):
        pass


ENGINE = Engine()
"""


class Bench:
    """A project, a model store and engines in a folder of their own."""

    def __init__(self, folder: Path, cues: int = 0) -> None:
        self.folder = folder
        self.cues = cues
        plugin = folder / "plugin"
        info = plugin / "slots32-1.0.dist-info"
        info.mkdir(parents=True)
        (plugin / "slots32_engine.py").write_text(PLUGIN)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slots32\nVersion: 1.0\n")
        (plugin / "sleeper_engine.py").write_text(SLEEPER)
        engines = "[cuesmith.engines]\nslots32 = slots32_engine:ENGINE\nsleeper = sleeper_engine:ENGINE\n"
        (info / "entry_points.txt").write_text(engines)
        self.environment = {
            **os.environ,
            "CUESMITH_MODELS": str(folder / "models"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(plugin), str(ROOT)]),
        }
        self.model = folder / "checkpoint"

    def write_model(self, width: tuple[int, int, int]) -> None:
        """Write the checkpoint in a process of its own."""
        self._run(["-m", "benchmarks.build", "--checkpoint", str(self.model), "--width", *map(str, width)])

    def build(self, name: str, devices: str, loudness: int = -16) -> dict[str, Any]:
        """Build the manifest into the outputs ``name``; the command's object with ``command_s``."""
        manifest = self.folder / f"{name}.yaml"
        numbers = random.Random(0)
        kinds = numbers.choices(MIX, [share for share, _, _ in MIX], k=self.cues)
        lines = [
            f"  - {{id: cue/{number:04d}, kind: music, prompt: theme {number}, "
            f"duration: {numbers.uniform(low, high):.2f}s}}"
            for number, (_, low, high) in enumerate(kinds)
        ]
        manifest.write_text(HEAD.format(model=self.model, loudness=loudness) + "\n".join(lines) + "\n")
        began = time.perf_counter()
        result = self._command(manifest, name, devices)
        return {**result, "command_s": time.perf_counter() - began}

    def scale(self, workers: int) -> float:
        """Seconds of audio that ``workers`` sleeping devices make in a second, each with work for about 40 s."""
        durations = [2 + number % 40 / 4 for number in range(100 * workers)]
        name = f"sleep{workers}"
        lines = [
            f"  - {{id: cue/{number:04d}, kind: sfx, prompt: cue {number}, duration: {seconds}s}}"
            for number, seconds in enumerate(durations)
        ]
        head = HEAD.replace('music:\n    {{engine: slots32, model: "{model}"', "sfx:\n    {{engine: sleeper")
        manifest = self.folder / f"{name}.yaml"
        manifest.write_text(head.format(loudness=-16) + "\n".join(lines) + "\n")
        devices = self._command(manifest, name, f"cpu:{workers}")["generate"]["devices"]
        return sum(durations) / max(device["seconds"] for device in devices)

    def generate_alone(self) -> float:
        """Seconds of loading the model and generating every recipe, without flow, store or mastering."""
        return float(self._run(["-m", "benchmarks.build", "--alone", str(self.folder / "one.yaml")]))

    def _command(self, manifest: Path, name: str, devices: str) -> dict[str, Any]:
        words = ["build", str(manifest), "--outputs", str(self.folder / name), "--devices", devices]
        done = self._run(["-c", "from flows.cli import main; main()", *words, "--json", "--quiet"])
        result: dict[str, Any] = json.loads(done)
        return result

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} ended with exit code {done.returncode}")
        return done.stdout


def write_model(folder: Path, width: tuple[int, int, int]) -> None:
    """A MusicGen of ``width`` (dim, heads, layers) with random weights, in AudioCraft's own format."""
    # It imports torch and AudioCraft, which the other steps do not need.
    import_module("tiny_checkpoints").write_checkpoint(folder, "music", window_s=30, width=width)


def seconds_alone(manifest: str) -> float:
    """See `Bench.generate_alone`."""
    with tempfile.TemporaryDirectory() as outputs:
        orders = list(prepare(BuildRequest(Path(manifest), outputs)).plan.orders())
        began = time.perf_counter()
        generator = find_engine("slots32").open("cpu")
        made = sum(1 for _ in generator.generate([order.recipe for order in orders], {}))
        assert made == len(orders)
        return time.perf_counter() - began


def stage_seconds(outputs: Path, run: str) -> tuple[float, float]:
    """Seconds from the first event of a worker to the last, and of mastering alone, from a build's journal."""
    events = [
        json.loads(line) for line in (outputs / "runs" / run / "journal.jsonl").read_text().splitlines()
    ]
    moments = [_seconds(event) for event in events if event["event"] in ("master-began", "take", "master")]
    return max(moments) - min(moments), sum(event["took"] for event in events if event["event"] == "master")


def _seconds(event: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(event["at"]).timestamp()


def measure(cues: int, width: tuple[int, int, int]) -> dict[str, Any]:
    """Everything in turn, each alone on the machine."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), cues)
        bench.write_model(width)
        one = bench.build("one", "cpu")
        two = bench.build("two", "cpu:2")
        alone = bench.generate_alone()
        again = bench.build("one", "cpu", loudness=-20)
        work_s, _ = stage_seconds(Path(folder) / "one", one["run"])
        mastering_s, _ = stage_seconds(Path(folder) / "one", again["run"])
        uses = {name: result["generate"]["devices"] for name, result in (("one", one), ("two", two))}
        return {
            "slot_use_1": min(use["slot_use"] for use in uses["one"]),
            "slot_use_2": min(use["slot_use"] for use in uses["two"]),
            "wall_over_bound": round(one["command_s"] / max(alone, mastering_s), 3),
            "overhead_s": round(one["command_s"] - work_s, 2),
            "command_s": round(one["command_s"], 2),
            "command_2_s": round(two["command_s"], 2),
            "generate_alone_s": round(alone, 2),
            "master_alone_s": round(mastering_s, 2),
            "devices": uses,
            "cues": cues,
            "width": list(width),
            "processor": _processor(),
        }


def measure_scaling() -> dict[str, Any]:
    """Seconds of audio a second of several workers over those of one."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        rates = {workers: bench.scale(workers) for workers in (1, 2, 4, 8)}
    ratios = {f"scale_{workers}": round(rate / rates[1], 2) for workers, rate in rates.items() if workers > 1}
    return (
        ratios
        | {"audio_seconds_a_second": {str(workers): round(rate, 3) for workers, rate in rates.items()}}
        | {"processor": _processor()}
    )


def _processor() -> str:
    return f"{processor_name()}, Python {platform.python_version()}"


def main() -> None:
    """Measure, or do one of the steps in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="300 cues; without it 1,000")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--scaling", action="store_true", help="a fake engine on 1, 2, 4 and 8 workers")
    parser.add_argument(
        "--width", nargs=3, type=int, default=[192, 4, 6], help="dim, heads and layers of the model"
    )
    parser.add_argument("--checkpoint", help=argparse.SUPPRESS)
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    width = tuple(chosen.width)
    if chosen.checkpoint:
        write_model(Path(chosen.checkpoint), width)
    elif chosen.alone:
        print(seconds_alone(chosen.alone))
    else:
        result = measure_scaling() if chosen.scaling else measure(300 if chosen.quick else 1000, width)
        print(
            json.dumps(result)
            if chosen.json
            else "\n".join(f"{key}: {value}" for key, value in result.items())
        )


if __name__ == "__main__":
    main()
