"""Azure's quotas: how many reads a subscription, and in it a provider, may answer, and what the headers say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cloudmarker_simulators import _azure_errors as errors
from cloudmarker_simulators._azure_paths import ArmPath
from cloudmarker_simulators._http import Response
from cloudmarker_simulators._quotas import Quota, Quotas

UNLIMITED = "11999"
"""What the header says is left where nothing is limited."""

_PREFIX = "x-ms-ratelimit-remaining-"


@dataclass(frozen=True)
class AzureQuotas:
    """What is limited; None for what is not.

    Attributes:
        subscription: reads of one subscription; the tenant's own reads have as many. Azure's usual figure is 250/25.
        provider: reads of one resource provider in one subscription.
        graph: queries to Resource Graph. Azure's usual figure is 15 in a window of 5 s:
            https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests
    """

    subscription: Quota | None = None
    provider: Quota | None = None
    graph: Quota | None = None


class Throttle:
    """Counts the calls of one client."""

    def __init__(self, quotas: AzureQuotas) -> None:
        self._subscription = Quotas(quotas.subscription) if quotas.subscription else None
        self._provider = Quotas(quotas.provider) if quotas.provider else None
        self._graph = Quotas(quotas.graph) if quotas.graph else None

    def read(self, where: ArmPath) -> tuple[Mapping[str, str], Response | None]:
        """Count a read of what is at *where*.

        Returns:
            Headers for the answer, and the answer itself if the call is one too many.
        """
        kind = "subscription-reads" if where.subscription else "tenant-reads"
        headers = {f"{_PREFIX}{kind}": UNLIMITED}
        if self._provider is not None and where.subscription and where.namespace:
            verdict = self._provider.take((where.subscription, where.namespace))
            headers[f"{_PREFIX}resource"] = f"{where.namespace}/Reads;{verdict.remaining}"
            if verdict.wait_s:
                message = f"The provider '{where.namespace}' has too many requests. Retry later."
                return headers, _refused("OperationNotAllowed", message, verdict.wait_s, headers)
        if self._subscription is not None:
            verdict = self._subscription.take(where.subscription)
            headers[f"{_PREFIX}{kind}"] = str(verdict.remaining)
            if verdict.wait_s:
                message = (
                    f"Number of 'read' requests for subscription '{where.subscription}' exceeded the limit. "
                    f"Please try again after '{math.ceil(verdict.wait_s)}' seconds."
                )
                return headers, _refused("SubscriptionRequestsThrottled", message, verdict.wait_s, headers)
        return headers, None

    def query(self) -> tuple[Mapping[str, str], Response | None]:
        """Count a query to Resource Graph; see :meth:`read`."""
        if self._graph is None:
            return {"x-ms-user-quota-remaining": UNLIMITED, "x-ms-user-quota-resets-after": "00:00:05"}, None
        verdict = self._graph.take("graph")
        seconds = math.ceil(verdict.resets_s)
        headers = {
            "x-ms-user-quota-remaining": str(verdict.remaining),
            "x-ms-user-quota-resets-after": f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        }
        if verdict.wait_s:
            message = "The request is throttled: too many queries in the window. Retry later."
            return headers, errors.arm_error(429, "RateLimiting", message, headers)
        return headers, None


def _refused(code: str, message: str, wait_s: float, headers: Mapping[str, str]) -> Response:
    return errors.arm_error(429, code, message, {**headers, "Retry-After": str(max(math.ceil(wait_s), 1))})
