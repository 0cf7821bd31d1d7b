"""The spool during a run, as the supervisor handles it: made before the start, counted and closed at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from cloudmarker._plan import process_name
from cloudmarker.errors import ConfigError
from cloudmarker.report import Snapshot
from cloudmarker.results import AuditInfo
from cloudmarker.spool import Found, Owner, Spool, spools_of
from cloudmarker.text import pluralize
from cloudmarker.when import Wanted, When

_log = logging.getLogger("cloudmarker.spool")


class Spooling:
    """The directories in the spool of one audit's stores and alerts.

    Args:
        info: the audit.
        state: the state directory.
        keeps: tells for a plugin key whether what that plugin does not deliver is to be kept.

    Attributes:
        spools: the directory of each process that has one, by its name.

    Raises:
        ConfigError: the state directory cannot be used.
    """

    def __init__(self, info: AuditInfo, state: Path, keeps: Callable[[str], bool]) -> None:
        self.spools: dict[str, Spool] = {}
        origins = {
            "store": (*(f"{info.key}_{key}" for key in info.plugins["cloud"]), f"{info.key}_audit"),
            "alert": tuple(f"{info.key}_{key}" for key in info.plugins["event"]),
        }
        for kind in ("store", "alert"):
            for key in filter(keeps, info.plugins[kind]):
                owner = Owner(info.key, info.version, key, kind, origins[kind])
                own = {spool.path for spool in self.spools.values()}  # as a store, of what is an alert here too
                earlier = len(set(spools_of(state, owner.worker)) - own)
                if earlier:
                    _log.warning(
                        "%s: the spool has records of %d earlier %s; 'cloudmarker replay --store %s' delivers them",
                        owner.worker,
                        earlier,
                        pluralize(earlier, "run"),
                        key,
                    )
                try:
                    self.spools[process_name(info.key, kind, (key,))] = Spool.create(state, owner)
                except OSError as exc:
                    self.discard()
                    reason = f"{exc.filename}: {exc.strerror}"
                    raise ConfigError(
                        f"state.path: {reason}; stores need a place for what they cannot deliver"
                    ) from exc

    def discard(self) -> None:
        """Remove the directories of a run that did not begin."""
        for spool in self.spools.values():
            spool.remove()

    def found(self, name: str, latest: Snapshot, when: When | None, *, killed: bool) -> Found:
        """Return what became of the records of a store or alert: what it said at its end, or what its files say.

        Args:
            name: of the process.
            latest: what it said last.
            when: its filter.
            killed: whether it died.
        """
        spool = self.spools.get(name)
        if spool is not None and (killed or spool.has_leftovers()):
            return spool.recover(Wanted(latest.wanted, when).wants)
        return Found(latest.delivered, latest.rejected, latest.skipped, latest.spooled)

    def close(self, left: Mapping[str, int], incomplete: Mapping[str, str]) -> None:
        """Let replays have what is left, and remove the rest.

        Args:
            left: records in the spool, by the name of the process.
            incomplete: origins whose stream is incomplete, with the reason.
        """
        for name, spool in self.spools.items():
            if left.get(name):
                spool.keep({origin: reason for origin, reason in incomplete.items() if origin in spool.owner.origins})
            else:
                spool.remove()
