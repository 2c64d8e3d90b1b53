"""Faults of the cluster on it."""
