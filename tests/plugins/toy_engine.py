"""An engine for tests, found as any other package's is: a short noise burst, or what its prompt tells it to do.

Words in the prompt: ``fail`` (a failure of this recipe), ``break`` (an exception), ``die`` (the worker process is
killed), ``hang`` (no result, ever), ``nan``, ``silent``, ``clipped``, ``offset``, ``hiss``, ``opposite`` (stereo, the
right channel is the left one with the other sign). With ``TOY_LOG`` set, each recipe generated adds its digest to that
file; each takes ``TOY_SECONDS`` longer. ``TOY_CLOSED`` is a reason why the engine cannot be opened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from pipeline.audio import Clip
from pipeline.errors import GenerationError, MachineError
from pipeline.generators import GeneratedTake, ModelInfo, Outcome, Requirements
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe

MODEL = ModelInfo(
    id="toy",
    revision="1",
    license="MIT",
    commercial=True,
    sample_rate_hz=48000,
    channels=1,
    neural=False,
    placeholder=True,
)


class ToyEngine:
    name = "toy"
    version = "1"
    device_kinds = ("cpu",)

    def requirements(self, asset: AssetSpec) -> Requirements:
        keys = asset.engine_keys
        conditioning = {"melody": keys["melody"].sha256} if "melody" in keys else {}
        settings = {"temperature": keys["sampling"]["temperature"]} if "sampling" in keys else {}
        return Requirements(MODEL, asset.duration_s, settings, conditioning)

    def devices(self) -> Sequence[str]:
        return ("cpu", "cpu")

    def cost(self, recipe: Recipe) -> float:
        return recipe.seconds

    def open(self, device: str) -> ToyGenerator:
        if fault := os.environ.get("TOY_CLOSED"):
            raise MachineError(fault)
        return ToyGenerator()


class ToyGenerator:
    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        for recipe in recipes:
            if log := os.environ.get("TOY_LOG"):
                with open(log, "a") as file:
                    file.write(recipe.digest + "\n")
            yield recipe, self._one(recipe)

    def _one(self, recipe: Recipe) -> GeneratedTake | GenerationError:
        np = import_module("numpy")
        words = recipe.prompt.split()
        time.sleep(float(os.environ.get("TOY_SECONDS", "0")))
        if "die" in words:
            os._exit(9)
        if "hang" in words:
            time.sleep(3600)
        if "lack" in words:
            raise MachineError("the toy lacks a part; buy one")
        if "break" in words:
            raise RuntimeError("toy broke")
        if "fail" in words:
            return GenerationError("the toy was told to fail; change the prompt")
        rng = np.random.default_rng(int(recipe.digest[:12], 16))
        length = max(1, round(recipe.seconds * 48000))
        samples = (rng.standard_normal((1, length)) * 0.1 * np.exp(-np.linspace(0, 4, length))).astype(
            "float32"
        )
        if "nan" in words:
            samples[0, 0] = np.nan
        if "clipped" in words:
            samples = np.clip(samples * 20, -1, 1)
        if "offset" in words:
            samples += np.float32(0.05)
        if "hiss" in words:
            samples = rng.standard_normal((1, length)).astype("float32") * np.float32(0.1)
        if "silent" in words:
            samples[:] = 0
        if "opposite" in words:
            samples = np.concatenate([samples, -samples])
        return GeneratedTake(Clip(samples, 48000), notes={"words": len(words)})

    def software(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        pass


class ToyGpuEngine(ToyEngine):
    """The same, made on GPUs; each take records what its process saw of them."""

    name = "toy-gpu"
    device_kinds = ("cuda",)

    def devices(self) -> Sequence[str]:
        return ("cuda:0", "cuda:1")

    def open(self, device: str) -> ToyGpuGenerator:
        return ToyGpuGenerator()


class ToyGpuGenerator(ToyGenerator):
    def software(self) -> Mapping[str, str]:
        names = ("CUDA_VISIBLE_DEVICES", "RAY_RAYLET_PID")
        return {"process": str(os.getpid()), **{name: os.environ.get(name, "") for name in names}}


ENGINE = ToyEngine()
GPU_ENGINE = ToyGpuEngine()
