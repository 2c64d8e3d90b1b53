"""Facts in a file, and the process without rights in which a stranger's file is judged."""
