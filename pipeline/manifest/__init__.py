"""The manifest language: YAML in, one frozen `AssetSpec` an asset out."""
