"""The slot decoder: AudioCraft's autoregressive language models, many cues at once, each in a slot of its own.

`weights` holds the model's numbers, `cache` the keys and values of earlier steps, `transformer` one step of all slots,
`sampling` the draw, `schedule` the order in which cues get a slot, `session` the loop, `backends` what belongs to a
device. docs/decoding.md has the arithmetic.
"""
