"""The `diffusers` engine: Stable Audio Open, Stable Audio 3 and ACE-Step 1.5.

Importing this package loads nothing; `engine` is light, and `generator` imports torch and diffusers.
"""
