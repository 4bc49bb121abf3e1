"""Cuesmith: YAML asset manifests in, a versioned catalog of finished game audio out."""

__version__ = "0.1.0"
