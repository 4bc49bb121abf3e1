"""Engines behind one protocol: what can generate, what it can be asked, and how it is opened."""

from pipeline.generators.protocol import (
    Ask,
    AskProblem,
    Engine,
    Estimate,
    Estimator,
    GeneratedTake,
    Generator,
    Kept,
    ModelInfo,
    Outcome,
    Preflight,
    Remaker,
    Remaking,
)
from pipeline.generators.registry import engine_keys, engine_names, find_engine

__all__ = [
    "Ask",
    "AskProblem",
    "Engine",
    "Estimate",
    "Estimator",
    "GeneratedTake",
    "Generator",
    "Kept",
    "ModelInfo",
    "Outcome",
    "Preflight",
    "Remaker",
    "Remaking",
    "engine_keys",
    "engine_names",
    "find_engine",
]
