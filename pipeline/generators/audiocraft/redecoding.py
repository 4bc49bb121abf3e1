"""Audio again from the codes that a take keeps, with no language model."""

from __future__ import annotations

import torch

from pipeline.audio import Clip
from pipeline.errors import MachineError, UsageError
from pipeline.generators.audiocraft.codec import unpack
from pipeline.generators.audiocraft.loading import load_codec

DECODERS = ("encodec", "mbd")


@torch.no_grad()
def redecode(data: bytes, decoder: str = "encodec", device: str = "cpu") -> Clip:
    """The audio of a take's attachment ``codes``, by EnCodec (``encodec``) or MultiBand Diffusion (``mbd``).

    It begins with the audio that a take carried on (its notes' ``prompt_frames``), where it did. Raises
    `MachineError` for a decoder that cannot run here, and where the codec's weights are not on this machine.
    """
    if decoder == "mbd":
        raise MachineError(
            "decoder mbd cannot run here: the weights of facebook/multiband-diffusion are a pickle with configuration "
            "objects in it, which is refused (no code in a file of weights may run), and there is no other copy of "
            "them; use decoder encodec"
        )
    if decoder not in DECODERS:
        raise UsageError(f"decoder {decoder!r} is not known; there are: {', '.join(DECODERS)}")
    codes, about = unpack(data)
    codec = load_codec(about["model"], about["revision"], device)
    audio = codec.decode(codes[None].to(device), None)[0]
    return Clip(audio.float().cpu().contiguous().numpy(), int(about["sample_rate_hz"]))
