"""Snapshots of environments: who is shown one, and how it is restored."""
