"""What a script written for a tenant says first: modules, the connection. All that is here already."""

from __future__ import annotations

from collections.abc import Iterator

from posthouse.cmdlets.conversion import DOUBLE, INT, STRINGS, SWITCH
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Parameter
from posthouse.cmdlets.patterns import like
from posthouse.cmdlets.values import PSObject, Value

_MODULE = "ExchangeOnlineManagement"
# https://learn.microsoft.com/powershell/module/exchangepowershell/connect-exchangeonline
_CONNECTION = (
    *("AccessToken", "AppId", "AzureADAuthorizationEndpointUri", "Certificate", "CertificateFilePath"),
    *("CertificatePassword", "CertificateThumbprint", "CommandName", "ConnectionUri", "Credential"),
    *("DelegatedOrganization", "ExchangeEnvironmentName", "FormatTypeName", "LogDirectoryPath", "LogLevel"),
    *(
        "ManagedIdentityAccountId",
        "Organization",
        "PSSessionOption",
        "ShowBanner",
        "ShowProgress",
        "SigningCertificate",
    ),
    *("TrackPerformance", "UseMultithreading", "UserPrincipalName"),
)
_CONNECTION_SWITCHES = (
    *("BypassMailboxAnchoring", "Device", "DisableWAM", "EnableErrorReporting", "InlineCredential"),
    *("LoadCmdletHelp", "ManagedIdentity", "SkipLoadingCmdletHelp", "SkipLoadingFormatData", "UseRPSSession"),
)
_TAKEN = "Taken: there is nothing to sign in to."


def import_module(_context: Context, bound: Bound) -> Iterator[Value]:
    for name in bound["Name"]:
        if name.lower() != _MODULE.lower():
            text = f"The specified module '{name}' was not loaded: only the cmdlets that Get-Command lists are here."
            raise PSError(text, category="ResourceUnavailable", error_id="Modules_ModuleNotFound", target=name)
    yield from ()


def get_module(_context: Context, bound: Bound) -> Iterator[Value]:
    if any(like(_MODULE, pattern) for pattern in bound.get("Name") or ["*"]):
        properties = {"ModuleType": "Binary", "Name": _MODULE}
        yield PSObject.of("System.Management.Automation.PSModuleInfo", properties, _MODULE)


def connect(context: Context, _bound: Bound) -> Iterator[Value]:
    context.warning("There is no tenant to connect to: the cmdlets act on this posthouse.")
    yield from ()


def disconnect(_context: Context, _bound: Bound) -> Iterator[Value]:
    yield from ()


def start_sleep(context: Context, bound: Bound) -> Iterator[Value]:
    context.wait(max(0, bound.get("Seconds", 0) + bound.get("Milliseconds", 0) / 1000))
    yield from ()


_NAMES = Parameter(name="Name", type=STRINGS, position=0, mandatory=True, from_pipeline=True)
_MODULE_OPTIONS = (
    *(Parameter(name=name) for name in ("MinimumVersion", "RequiredVersion", "Repository", "Scope")),
    *(Parameter(name=name, type=SWITCH) for name in ("AllowClobber", "DisableNameChecking", "Force", "Global")),
    *(Parameter(name=name, type=SWITCH) for name in ("AcceptLicense", "PassThru", "SkipPublisherCheck")),
)
SURROUNDINGS = (
    Cmdlet("Import-Module", (_NAMES, *_MODULE_OPTIONS), import_module, synopsis="Taken: the cmdlets are all here."),
    Cmdlet(
        "Install-Module",
        (_NAMES, *_MODULE_OPTIONS),
        import_module,
        synopsis="Taken: the cmdlets are all here.",
        should_process=True,
    ),
    Cmdlet(
        "Get-Module",
        (Parameter(name="Name", type=STRINGS, position=0), Parameter(name="ListAvailable", type=SWITCH)),
        get_module,
        aliases=("Get-InstalledModule",),
        synopsis="Shows the module whose cmdlets are here.",
    ),
    Cmdlet(
        "Connect-ExchangeOnline",
        (
            *(Parameter(name=name, help=_TAKEN) for name in _CONNECTION),
            *(Parameter(name=name, type=SWITCH, help=_TAKEN) for name in _CONNECTION_SWITCHES),
            Parameter(name="Prefix", refused="the cmdlets keep their names here"),
        ),
        connect,
        synopsis="Taken: the cmdlets act on this posthouse.",
    ),
    Cmdlet("Disconnect-ExchangeOnline", (), disconnect, synopsis="Taken.", should_process=True),
    Cmdlet(
        "Start-Sleep",
        (
            Parameter(name="Seconds", type=DOUBLE, position=0),
            Parameter(name="Milliseconds", type=INT, aliases=("ms",)),
        ),
        start_sleep,
        aliases=("sleep",),
        synopsis="Waits.",
    ),
)
