"""Building blocks of sound: plain functions from numbers to samples at 48 kHz, nothing that knows a prompt."""
