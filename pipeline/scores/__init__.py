"""Scores: measures of a take by models, such as how well it fits its prompt. None is used unless a manifest names it.

A score is light, like an engine: it states its version and what this machine lacks; `Score.open` loads the model, in a
worker process. Other packages bring scores in the entry point group ``cuesmith.scores``.
"""

from pipeline.scores.protocol import Score as Score
from pipeline.scores.protocol import Scorer as Scorer
from pipeline.scores.registry import find_score as find_score
from pipeline.scores.registry import score_names as score_names
