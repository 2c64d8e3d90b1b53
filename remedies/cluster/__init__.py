"""Repairs of the cluster on it."""
