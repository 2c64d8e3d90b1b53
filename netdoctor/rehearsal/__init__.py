"""A repair on a copy of the node first: what passes then, what opens, and whose way it would close."""
