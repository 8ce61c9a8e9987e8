"""The connectors of a tenant: what its cmdlets take, what they refuse, and with which words.

https://learn.microsoft.com/powershell/module/exchange/new-inboundconnector
https://learn.microsoft.com/powershell/module/exchange/set-inboundconnector
https://learn.microsoft.com/powershell/module/exchange/remove-inboundconnector
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Callable
from typing import Any

_TASKS = "Microsoft.Exchange.Management.SystemConfigurationTasks"
_NEW: dict[str, Any] = {
    "Enabled": True,
    "ConnectorType": "Partner",
    "ConnectorSource": "Default",
    "Comment": "",
    "SenderIPAddresses": [],
    "SenderDomains": [],
    "AssociatedAcceptedDomains": [],
    "RequireTls": True,
    "RestrictDomainsToIPAddresses": False,
    "RestrictDomainsToCertificate": False,
    "CloudServicesMailEnabled": False,
    "TreatMessagesAsInternal": False,
    "TlsSenderCertificateName": None,
    "EFSkipLastIP": False,
    "EFSkipIPs": [],
}
"""What New- takes besides a Name, and what it is otherwise."""
_LISTS = ("SenderIPAddresses", "SenderDomains", "AssociatedAcceptedDomains", "EFSkipIPs")
_LONGEST_NAME = 64
_RESERVED = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
    )
]


class CmdletFailed(Exception):
    """`kind` is the exception's name."""

    def __init__(self, kind: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.kind, self.text, self.status = kind, text, status


class Connectors:
    """`inbound` and `outbound` are by Name, as the Get- cmdlets show them.

    Reserved addresses are refused, as by a tenant, unless `takes_reserved`: for a rehearsal on loopback.
    """

    def __init__(self) -> None:
        self.inbound: dict[str, dict[str, Any]] = {}
        self.outbound: dict[str, dict[str, Any]] = {}
        self.takes_reserved = False
        self._warnings: list[str] = []

    def add(self, name: str, **properties: Any) -> dict[str, Any]:
        """One that is there already."""
        given = {"SenderDomains": ["*"], **properties}
        self._new({"Name": name, **given})
        return self.inbound[name]

    def run(self, cmdlet: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        cmdlets: dict[str, Callable[[dict[str, Any]], list[dict[str, Any]]]] = {
            "Get-InboundConnector": lambda given: _shown(self.inbound, given),
            "Get-OutboundConnector": lambda given: _shown(self.outbound, given),
            "New-InboundConnector": self._new,
            "Set-InboundConnector": self._set,
            "Remove-InboundConnector": self._remove,
        }
        if cmdlet not in cmdlets:
            text = f"The term '{cmdlet}' is not recognized as the name of a cmdlet, function, or script file."
            raise CmdletFailed("System.Management.Automation.CommandNotFoundException", text, 404)
        return cmdlets[cmdlet](parameters)

    def taken_warnings(self) -> list[str]:
        warnings, self._warnings = self._warnings, []
        return warnings

    def _new(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        name = given.get("Name") or ""
        if not name or not given.get("SenderDomains"):
            missing = "SenderDomains" if name else "Name"
            text = f"Cannot process command because of one or more missing mandatory parameters: {missing}."
            raise CmdletFailed("System.Management.Automation.ParameterBindingException", text)
        _require_known(given, {"Name", *_NEW})
        if name.casefold() in map(str.casefold, self.inbound):
            text = f'The inbound connector "{name}" already exists. Enter a different name.'
            raise CmdletFailed(f"{_TASKS}.ErrorInboundConnectorAlreadyExistsException", text)
        made = {**_NEW, "Guid": str(uuid.uuid4()), "IsValid": True, **_with_lists(given), "Identity": name}
        self._require_valid(made)
        self.inbound[name] = made
        return [_spelled(made)]

    def _set(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        found = _found(self.inbound, given.get("Identity", ""))
        changes = {key: value for key, value in given.items() if key not in ("Identity", "Confirm")}
        _require_known(changes, {"Name", *_NEW})
        changed = {**found, **_with_lists(changes)}
        self._require_valid(changed)
        del self.inbound[found["Name"]]
        self.inbound[changed["Name"]] = {**changed, "Identity": changed["Name"]}
        return []

    def _remove(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        del self.inbound[_found(self.inbound, given.get("Identity", ""))["Name"]]
        return []

    def _require_valid(self, connector: dict[str, Any]) -> None:
        if len(connector["Name"]) > _LONGEST_NAME:
            raise CmdletFailed(
                "Microsoft.Exchange.Data.DataValidationException",
                f"The length of the property is too long. The maximum length is {_LONGEST_NAME} and the length of the "
                f"value provided is {len(connector['Name'])}.",
            )
        for broken, text in _rules(connector):
            if broken:
                raise CmdletFailed("Microsoft.Exchange.Data.DataValidationException", text)
        for network in connector["SenderIPAddresses"]:
            self._require_network(network)
        self._warn_of_overlap(connector)

    def _require_network(self, text: str) -> None:
        kind = f"{_TASKS}.InvalidIPRangeFormatException"
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise CmdletFailed(kind, f"The IP address range '{text}' is invalid. Use a single IP or CIDR.") from None
        if network.version == 6:
            kind = f"{_TASKS}.IPv6AddressesRangesAreNotAllowedInConnectorException"
            raise CmdletFailed(kind, f"IPv6 addresses aren't allowed in a connector. The IP range is '{text}'.")
        if network.prefixlen < 24:
            kind = f"{_TASKS}.InvalidCidrRangeException"
            raise CmdletFailed(kind, f"The CIDR length of '{text}' must be between 24 and 32.")
        if any(map(network.overlaps, _RESERVED)) and not self.takes_reserved:
            kind = f"{_TASKS}.IPRangeInConnectorContainsReservedIPAddressesException"
            raise CmdletFailed(kind, f"The IP address range '{text}' contains reserved IP addresses.")

    def _warn_of_overlap(self, connector: dict[str, Any]) -> None:
        for other in self.inbound.values():
            if other["Guid"] == connector["Guid"] or not other["Enabled"]:
                continue
            if shared := [one for one in connector["SenderIPAddresses"] if _overlaps(one, other["SenderIPAddresses"])]:
                self._warnings.append(
                    f"The sender IP addresses {', '.join(shared)} overlap with those of the following inbound "
                    f"connectors: {other['Name']}."
                )


def _rules(connector: dict[str, Any]) -> list[tuple[bool, str]]:
    is_on_premises = connector["ConnectorType"] == "OnPremises"
    certificate, addresses = connector["TlsSenderCertificateName"], connector["SenderIPAddresses"]
    by_address, by_certificate = connector["RestrictDomainsToIPAddresses"], connector["RestrictDomainsToCertificate"]
    return [
        (
            is_on_premises and not certificate and not addresses,
            "A connector of type OnPremises must specify either SenderIPAddresses or TlsSenderCertificateName.",
        ),
        (
            bool(certificate) and not connector["RequireTls"],
            "TlsSenderCertificateName can only be specified when RequireTls is set to true.",
        ),
        (by_address and not addresses, "RestrictDomainsToIPAddresses can't be set without SenderIPAddresses."),
        (
            by_address and by_certificate,
            "RestrictDomainsToIPAddresses and RestrictDomainsToCertificate can't both be set.",
        ),
        (
            by_certificate and not certificate,
            "RestrictDomainsToCertificate can't be set without TlsSenderCertificateName.",
        ),
        (
            not is_on_premises and connector["CloudServicesMailEnabled"],
            "CloudServicesMailEnabled can only be set on connectors of type OnPremises.",
        ),
    ]


def _require_known(given: dict[str, Any], known: set[str]) -> None:
    strange = sorted(given.keys() - known)
    if strange:
        kind = "Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException"
        text = "Parameter set cannot be resolved using the specified named parameters."
        raise CmdletFailed(kind, f"{text} Invalid cmdlet parameters specified. {','.join(strange)}")


def _with_lists(given: dict[str, Any]) -> dict[str, Any]:
    return {key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in given.items()}


def _found(connectors: dict[str, dict[str, Any]], identity: str) -> dict[str, Any]:
    for connector in connectors.values():
        if identity.casefold() in (connector["Name"].casefold(), connector["Guid"]):
            return connector
    server = "DB6PR06A001DC06.EURPR06A001.prod.outlook.com"
    text = f"The operation couldn't be performed because object '{identity}' couldn't be found on '{server}'."
    raise CmdletFailed("Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException", text, 404)


def _shown(connectors: dict[str, dict[str, Any]], given: dict[str, Any]) -> list[dict[str, Any]]:
    if identity := given.get("Identity"):
        return [_spelled(_found(connectors, identity))]
    return [_spelled(connector) for connector in connectors.values()]


def _spelled(connector: dict[str, Any]) -> dict[str, Any]:
    """Domains are shown as address spaces, lists with their types."""
    spaces = [f"smtp:{domain};1" for domain in connector.get("SenderDomains", ())]
    types = {f"{key}@data.type": "#Collection(String)" for key in _LISTS if key in connector}
    return {**types, **connector, **({"SenderDomains": spaces} if "SenderDomains" in connector else {})}


def _overlaps(network: str, others: list[str]) -> bool:
    one = ipaddress.ip_network(network, strict=False)
    return any(one.overlaps(ipaddress.ip_network(other, strict=False)) for other in others)
