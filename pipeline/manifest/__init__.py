"""The manifest language: YAML in, one frozen `AssetSpec` an asset out."""

from pipeline.manifest.compiled import load_cached as load_cached
from pipeline.manifest.lazy_imports import json_schema_text as json_schema_text
from pipeline.manifest.lazy_imports import label_words as label_words
from pipeline.manifest.lazy_imports import load as load
from pipeline.manifest.lazy_imports import manifest_texts as manifest_texts
from pipeline.manifest.lazy_imports import profile_names as profile_names
from pipeline.manifest.lazy_imports import reason_words as reason_words
from pipeline.manifest.lazy_imports import setting_words as setting_words
from pipeline.manifest.problems import beside as beside
from pipeline.manifest.problems import nearest as nearest
from pipeline.manifest.spec import Project as Project
