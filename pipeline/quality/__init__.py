"""Gates and scores on what was made."""
