"""The slot decoder: AudioCraft's autoregressive language models, many cues at once, each in a slot of its own.

`weights` holds the model's numbers, `cache` what earlier steps left, `transformer` one step of all slots,
`sampler` the draw, `schedule` who gets a slot, `engine` the loop. docs/decoding.md has the arithmetic.
"""
