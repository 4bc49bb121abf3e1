"""Signal processing: functions from numbers to samples at 48 kHz, independent of prompts."""
