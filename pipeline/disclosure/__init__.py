"""The disclosure of a version: texts for a shop, an authority and the credits, an ML-BOM and a provenance statement."""

from pipeline.disclosure.documents import Disclosure, write_disclosure

__all__ = ["Disclosure", "write_disclosure"]
