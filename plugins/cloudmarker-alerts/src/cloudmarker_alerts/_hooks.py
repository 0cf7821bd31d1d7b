"""What this distribution adds to cloudmarker."""

from __future__ import annotations

from collections.abc import Iterable

from cloudmarker.hookspecs import PluginSpec, hookimpl


@hookimpl
def cloudmarker_plugins() -> Iterable[PluginSpec]:
    """Register the plugins of this distribution."""
    return (
        PluginSpec("alert", "emailalert", "cloudmarker_alerts.emailalert:EmailAlert", "Sends one e-mail per audit."),
        PluginSpec(
            "alert", "slackalert", "cloudmarker_alerts.slackalert:SlackAlert", "Sends one Slack message per audit."
        ),
        PluginSpec(
            "alert", "webhookalert", "cloudmarker_alerts.webhookalert:WebhookAlert", "Posts events as JSON to a URL."
        ),
        PluginSpec(
            "alert", "consolealert", "cloudmarker_alerts.consolealert:ConsoleAlert", "Shows events as a table here."
        ),
    )
