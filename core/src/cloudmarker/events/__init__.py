"""Event plugins that come with core."""
