"""Records that say where a take and a master came from."""
