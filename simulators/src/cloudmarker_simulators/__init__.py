"""Local stand-ins for the Azure and Google Cloud APIs, for Slack's, and for a mail server.

They answer the reading half of the real APIs over real sockets on loopback, from a tenant that ships with this package
or from recorded answers. They check credentials, page, and refuse whatever is not a read::

    with AzureSimulator() as azure:
        print(azure.settings["endpoint"])
        ...
        print(azure.requests)
"""

from cloudmarker_simulators._files import DataError, ExpectedFinding, expected_findings, tenants
from cloudmarker_simulators._quotas import Quota
from cloudmarker_simulators._sources import Refusal
from cloudmarker_simulators._twins import Twin, twins
from cloudmarker_simulators.azure import AzureSimulator
from cloudmarker_simulators.faults import Fault
from cloudmarker_simulators.gcp import GCPSimulator
from cloudmarker_simulators.slack import SlackSimulator
from cloudmarker_simulators.smtp import Mail, SMTPFault, SMTPSimulator

__all__ = [
    "AzureSimulator",
    "DataError",
    "ExpectedFinding",
    "Fault",
    "GCPSimulator",
    "Mail",
    "Quota",
    "Refusal",
    "SMTPFault",
    "SMTPSimulator",
    "SlackSimulator",
    "Twin",
    "expected_findings",
    "tenants",
    "twins",
]
