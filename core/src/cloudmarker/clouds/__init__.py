"""Cloud plugins that come with core."""
