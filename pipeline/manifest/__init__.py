"""The manifest language: YAML in, one frozen `AssetSpec` an asset out."""

from pipeline.manifest.compiled import load_cached as load_cached
from pipeline.manifest.problems import beside as beside
from pipeline.manifest.problems import nearest as nearest
from pipeline.manifest.spec import Project as Project
