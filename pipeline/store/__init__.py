"""Content-addressed objects and digest-named records in a folder or an object store."""
