"""OAuth2: can a token be had with a credential?"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Final

from posthouse.net.certificates import CertificateError
from posthouse.net.oauth import Application, Token, TokenError, acquire_token
from posthouse.organization.connectors import Credential, CredentialKind
from posthouse.probe.doctor.apart import apart
from posthouse.probe.doctor.case import Case
from posthouse.probe.doctor.step import About, Area, Step
from posthouse.spool import SpoolError

_UNCHECKED: Final = {
    CredentialKind.BASIC: "a password is proved by signing in, which no connector of this version does",
    CredentialKind.DEVICE_CODE: "a device code needs a person who signs in",
    CredentialKind.MANAGED_IDENTITY: "a managed identity is known only to the Azure machine that has it",
}


async def steps(case: Case, credential: Credential) -> AsyncGenerator[Step, None]:
    about = About(Area.CREDENTIAL, credential.name)
    if credential.kind in _UNCHECKED:
        yield about.skipped(f"not checked: {_UNCHECKED[credential.kind]}")
        return
    try:
        token = await apart(3 * case.options.timeout, lambda: _token(case, credential))
    except (CertificateError, SpoolError, KeyError) as error:
        yield about.failed(f"its secret can't be read: {error}", "apply the organization with it again")
    except TokenError as error:
        yield about.failed(f"no token: {error.problem}", error.remedy)
    except TimeoutError:
        yield about.failed(f"no token: {credential.authority} takes too long", "is a firewall or a proxy in the way?")
    else:
        until = datetime.fromtimestamp(token.expires_at, UTC)
        yield about.ok(f"{credential.authority} gives a token, good until {until:%H:%M} UTC")


def _token(case: Case, credential: Credential) -> Token:
    proof = (
        case.identity(credential.certificate, f"certificate of {credential.name}")
        if credential.certificate
        else case.secret(credential.secret).decode()
    )
    application = Application(credential.tenant, credential.client_id, proof, credential.authority)
    return acquire_token(application, own_roots=case.organization.trusted_roots, timeout=case.options.timeout)
