"""Sound effects: one file a group of families, and the index that chooses among them."""
