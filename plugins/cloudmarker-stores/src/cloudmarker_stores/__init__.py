"""Stores for cloudmarker that talk to a server. Importing this package, or a plugin's module, imports no SDK."""
