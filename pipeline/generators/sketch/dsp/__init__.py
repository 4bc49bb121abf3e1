"""Blocks of sound: functions from numbers to samples at 48 kHz, none of which knows a prompt."""
