"""A repair as a transaction: planned, made step by step from a journal, proved, rolled back, confirmed."""
