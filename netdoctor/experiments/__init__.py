"""Which smallest change on a copy of the node lets a lost packet pass."""
