"""Engines behind one protocol: what can generate, what it can be asked, and how it is opened."""

from pipeline.generators.protocol import (
    Engine,
    Estimate,
    Estimator,
    GeneratedTake,
    Generator,
    ModelInfo,
    Outcome,
    Preflight,
    Redecoder,
    Redecoding,
    RequirementProblem,
    Requirements,
    StoredTake,
)
from pipeline.generators.registry import engine_names, find_engine

__all__ = [
    "Engine",
    "Estimate",
    "Estimator",
    "GeneratedTake",
    "Generator",
    "ModelInfo",
    "Outcome",
    "Preflight",
    "Redecoder",
    "Redecoding",
    "RequirementProblem",
    "Requirements",
    "StoredTake",
    "engine_names",
    "find_engine",
]
