"""What a secret looks like: as one that was read, by the name that it is given, by its prefix, by its disorder.

Each module finds spans of a text; `netdoctor.redact` hides them. Every search takes time in proportion to the text.
"""
