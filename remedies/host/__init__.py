"""Repairs of the node itself."""
