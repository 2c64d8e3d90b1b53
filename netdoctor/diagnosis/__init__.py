"""From results to causes: the catalogue, one look at the node, diagnoses, and what experiments say of them."""
