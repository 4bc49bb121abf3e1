"""What is stale and why, and how work is shared out."""
