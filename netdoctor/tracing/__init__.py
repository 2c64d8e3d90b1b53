"""One flow, asked and traced in a copy of the node, hop by hop."""
