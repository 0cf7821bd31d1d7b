"""Google Cloud for cloudmarker."""
