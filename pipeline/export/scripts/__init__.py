"""Scripts that exports copy into their folders; they run in the tools of the target, never here."""
