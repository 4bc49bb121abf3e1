"""Cuesmith flows: Prefect orchestration and the command line over `pipeline`."""
