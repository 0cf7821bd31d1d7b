"""Alerts for cloudmarker that people read. Importing this package, or a plugin's module, imports no SDK."""
