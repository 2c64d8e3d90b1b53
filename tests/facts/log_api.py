"""What stands for the API server where a test is about one log."""

from __future__ import annotations


class ApiOfOneLog:
    """An API server with one log, which counts how often it is asked."""

    def __init__(self, log: str) -> None:
        self.log, self.asked = log, 0

    def text(self, _path: str, **_query: str) -> str:
        self.asked += 1
        return self.log
