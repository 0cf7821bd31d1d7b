"""Store plugins that come with core."""
