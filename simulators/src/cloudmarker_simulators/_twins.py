"""What stands for what in the tenant that exists in both clouds."""

from __future__ import annotations

from typing import TypedDict

from cloudmarker_simulators._azure_synthetic import SyntheticAzure
from cloudmarker_simulators._files import load_json
from cloudmarker_simulators._gcp_synthetic import SyntheticGoogle
from cloudmarker_simulators._sizes import TWINS_SIZE

_GROUP = "/subscriptions/{sub}/resourceGroups/twins/providers/"


class Twin(TypedDict):
    """Something that exists in both clouds.

    Attributes:
        record_type: what it is in the common model.
        azure: its id.
        gcp: its full resource name.
    """

    record_type: str
    azure: str
    gcp: str


def twins() -> list[Twin]:
    """Return what is in the tenant ``twins`` of both clouds: the same machines, networks, rules, buckets, databases."""
    azure = SyntheticAzure(TWINS_SIZE, blueprint="twins-azure").values(0)
    google = SyntheticGoogle(TWINS_SIZE, blueprint="twins-gcp").values(0)
    return [
        {
            "record_type": pair["record_type"],
            "azure": pair["azure"].replace("~/", _GROUP, 1).format_map(azure),
            "gcp": pair["gcp"].format_map(google),
        }
        for pair in load_json("twins")
    ]
