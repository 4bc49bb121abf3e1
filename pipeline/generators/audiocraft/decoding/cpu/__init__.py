"""What is special on CPUs: attention as compiled loops over a cache per slot, and groups of slots side by side."""
