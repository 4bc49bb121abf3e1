"""Engines behind one protocol: what an asset requires, how an engine is opened, and what it generates."""

from pipeline.generators.protocol import Batching as Batching
from pipeline.generators.protocol import Diagnostic as Diagnostic
from pipeline.generators.protocol import Diagnostics as Diagnostics
from pipeline.generators.protocol import Engine as Engine
from pipeline.generators.protocol import Estimate as Estimate
from pipeline.generators.protocol import Estimator as Estimator
from pipeline.generators.protocol import GeneratedTake as GeneratedTake
from pipeline.generators.protocol import Generator as Generator
from pipeline.generators.protocol import Grouping as Grouping
from pipeline.generators.protocol import InstalledModel as InstalledModel
from pipeline.generators.protocol import ModelInfo as ModelInfo
from pipeline.generators.protocol import ModelList as ModelList
from pipeline.generators.protocol import ModelStore as ModelStore
from pipeline.generators.protocol import Outcome as Outcome
from pipeline.generators.protocol import Preflight as Preflight
from pipeline.generators.protocol import RecipeSource as RecipeSource
from pipeline.generators.protocol import Redecoder as Redecoder
from pipeline.generators.protocol import Redecoding as Redecoding
from pipeline.generators.protocol import RequirementProblem as RequirementProblem
from pipeline.generators.protocol import Requirements as Requirements
from pipeline.generators.protocol import StoredTake as StoredTake
from pipeline.generators.protocol import Streaming as Streaming
from pipeline.generators.registry import engine_keys as engine_keys
from pipeline.generators.registry import engine_names as engine_names
from pipeline.generators.registry import find_engine as find_engine
from pipeline.licenses import LicenseTerms as LicenseTerms
