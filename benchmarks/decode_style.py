"""Style takes under double guidance: the slots against AudioCraft's own layers in batches, side by side in one run.

``python benchmarks/decode_style.py`` takes random weights in a published shape; musicgen-style has medium's. Steps take
turns, each with as much behind it as the manifest's average step has, and are weighed by how each of the two fills its
rows with the manifest. A measurement is repeated, for its spread.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import decode_models as models
import torch

from pipeline.generators.audiocraft.audiocraft_modules import transformer
from pipeline.generators.audiocraft.conditions import Condition, stack_conditions
from pipeline.generators.audiocraft.decoding import weights
from pipeline.generators.audiocraft.decoding.sampling import SlotSampler
from pipeline.generators.audiocraft.decoding.schedule import simulate_slots
from pipeline.generators.audiocraft.estimates import USUAL_ROWS
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling

STYLE = 15
"""Positions of an excerpt of three seconds."""
TWICE = Sampling(1.0, 250, 0.0, 3.0, 5.0)


class StyleAndText(models.RandomText):
    """Stands in for style conditioner and text encoder, which both sides would run once a cue."""

    def forward(self, texts: Sequence[str | None]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """As AudioCraft's provider: embeddings and masks by attribute; the last of ``texts`` has no style."""
        conditions = super().forward(texts)
        style = torch.randn((1, STYLE, self.dim), generator=torch.Generator().manual_seed(1))
        styles = style.repeat(len(texts), 1, 1)
        styles[-1] = 0
        return {"self_wav": (styles, torch.ones(styles.shape[:2])), **conditions}


def cue(lm: Any, frames: int, seed: int) -> Row:
    """A cue of three rows: text and style, style alone, nothing."""
    tensors = lm.condition_provider(["a", None, None])
    known = torch.zeros((4, 0), dtype=torch.long)
    shape = tuple((name, value.shape[1]) for name, (value, _) in tensors.items())
    return Row(seed, 0, frames, known, Condition(tensors, 0, shape), TWICE)


@contextmanager
def batch_at(lm: Any, cues: int, position: int) -> Iterator[Callable[[], object]]:
    """One step of `batch_decoding` for a batch of ``cues`` whose past is ``position`` steps long."""
    rows = [cue(lm, 1, seed) for seed in range(cues)]
    tensors = stack_conditions([one.condition for one in rows])
    sampler = SlotSampler(cues, lm.card, [TWICE] * cues, torch.device("cpu"))
    for slot, row in enumerate(rows):
        sampler.admit(slot, row)
    tokens = torch.randint(0, lm.card, (cues, 4, 1))
    with models.stock_layers_at(lm, 3 * cues, position) as rewind:

        def step() -> None:
            rewind()
            logits = lm(torch.cat([tokens] * 3), [], tensors)[:, :, -1].chunk(3)
            sampler.draw(torch.stack(logits, dim=1), torch.full((cues,), position))

        yield step


def measure(lm: Any, dtype: torch.dtype, slots: int, rounds: int, lengths: Sequence[int]) -> dict[str, Any]:
    """Steps of both in turns, and what they come to on a manifest of ``lengths`` frames."""
    batch = USUAL_ROWS["cpu"]
    prefix = STYLE + models.TEXT
    positions = [prefix + place for place in models.average_positions(lengths, slots)]
    mean = round(sum(positions) / slots)
    ours = models.GroupSteps(lm, weights.read_weights(lm, dtype), positions, cue)
    ours.steps(1)
    steps_of = [length + models.DELAY - 1 for length in lengths]
    longest_first = sorted(steps_of, reverse=True)
    batched = sum(longest_first[first] for first in range(0, len(lengths), batch))
    steps = simulate_slots(steps_of, slots * ours.count)
    ratios, seconds = [], []
    with batch_at(lm, batch, mean) as batch_step:
        # The first two find their memory.
        for _ in range(2):
            batch_step()
        for _ in range(rounds):
            theirs, mine = models.Clock(), models.Clock()
            theirs.time(batch_step)
            mine.time(lambda: ours.steps(models.STEPS))
            step = theirs.wall, mine.wall / models.STEPS
            seconds.append(tuple(round(one, 3) for one in step))
            ratios.append(step[0] * batched / (step[1] * steps))
    audio = sum(lengths) / models.FRAME_RATE
    return {
        "dim": lm.dim,
        "layers": len(lm.transformer.layers),
        "dtype": str(dtype).removeprefix("torch."),
        "slots": slots,
        "groups": ours.count,
        "cues": len(lengths),
        "longest_s": max(lengths) / models.FRAME_RATE,
        "mean_position": mean,
        "batch": batch,
        "step_seconds_batches_and_slots": seconds,
        "audio_seconds_a_second": {
            "batches": [round(audio / (one * batched), 4) for one, _ in seconds],
            "slots": [round(audio / (one * steps), 4) for _, one in seconds],
        },
        "ratio": [round(one, 2) for one in ratios],
    }


def main() -> None:
    """Read the command line and print what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=tuple(models.SHAPES), default="medium")
    parser.add_argument("--layers", type=int, help="fewer layers than the shape has, where memory is short")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16", help="of the slots")
    parser.add_argument("--slots", type=int, default=32, help="slots of each group")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--cues", type=int, default=300, help="cues of the manifest that steps are weighed by"
    )
    parser.add_argument(
        "--longest", type=float, default=30.0, help="seconds of the longest cue: longer ones are left out"
    )
    arguments = parser.parse_args()
    transformer.set_efficient_attention_backend("torch")
    most = arguments.longest * models.FRAME_RATE
    lengths = [length for length in models.cue_lengths(arguments.cues) if length <= most]
    lm = models.model_of(
        arguments.shape, arguments.layers, provider=StyleAndText, prepend=("self_wav", "description")
    )
    results = measure(lm, getattr(torch, arguments.dtype), arguments.slots, arguments.rounds, lengths)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
