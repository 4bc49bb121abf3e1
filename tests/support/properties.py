"""How many inputs a property test tries: the same few in every run by default, or many random ones.

The profile is `REPEATABLE` unless ``--hypothesis-profile=thorough`` asks for the other.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

REPEATABLE = "repeatable"
THOROUGH = "thorough"
_EXAMPLES = 50
_MANY = 20
"""How many times as many examples the profile `THOROUGH` tries."""
_SLOW_MACHINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
ONE_FIXTURE_FOR_ALL = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
"""The ``suppress_health_check`` of a test whose examples may share what its fixtures made."""

settings.register_profile(REPEATABLE, derandomize=True, max_examples=_EXAMPLES, **_SLOW_MACHINE)
settings.register_profile(THOROUGH, max_examples=_EXAMPLES * _MANY, print_blob=True, **_SLOW_MACHINE)


def examples(count: int) -> int:
    """The ``max_examples`` of a test that tries ``count`` examples by default."""
    return count * settings().max_examples // _EXAMPLES
