"""Faults of the node itself."""
