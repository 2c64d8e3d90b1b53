"""The report in its forms: JSON for issues and machines, text for people."""
