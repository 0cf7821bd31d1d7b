"""Access tokens that a simulator has issued, and how long each is good for."""

from __future__ import annotations

import secrets
import threading
import time


class Tokens:
    """Opaque bearer tokens.

    Attributes:
        lifetime_s: seconds for which a token is accepted.
    """

    def __init__(self, lifetime_s: int) -> None:
        self.lifetime_s = lifetime_s
        self._lock = threading.Lock()
        self._expiry: dict[str, float] = {}

    def issue(self) -> str:
        """Return a new token."""
        token = secrets.token_urlsafe(48)
        with self._lock:
            self._expiry[token] = time.monotonic() + self.lifetime_s
        return token

    def revoke(self, token: str | None) -> None:
        """Let *token* have expired, if it was issued here."""
        with self._lock:
            if token in self._expiry:
                self._expiry[token] = 0.0

    def problem(self, token: str | None) -> str | None:
        """Return why *token* does not open anything, or None when it does."""
        if token is None:
            return "The request has no bearer token in its Authorization header."
        with self._lock:
            expiry = self._expiry.get(token)
        if expiry is None:
            return "The access token was not issued here."
        if expiry <= time.monotonic():
            return "The access token has expired."
        return None
