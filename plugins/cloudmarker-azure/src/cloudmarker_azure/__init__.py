"""Microsoft Azure for cloudmarker. Importing this package imports no SDK."""
