"""Alert plugins: none comes with core; the old module names of cloudmarker-alerts resolve here."""
