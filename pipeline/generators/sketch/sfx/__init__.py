"""Sound effects: a file for each group of families, and `effect`, which chooses among them."""
