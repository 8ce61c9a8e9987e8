"""What credentials give: signing in by a device code, and forgetting what no credential gives any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from posthouse.admin.audit import Ledger
from posthouse.admin.errors import AdminError, NotFound
from posthouse.admin.roles import Acts
from posthouse.organization import Credential, Organization, from_document
from posthouse.organization.connectors import CredentialKind
from posthouse.spool import AccessTokens, AuditChange, Organizations, Store

if TYPE_CHECKING:
    from posthouse.net.oauth_user import DeviceCode, UserToken


class Credentials:
    """What gets tokens is loaded only where it is needed: most commands start without it."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._organizations = Organizations(store)
        self._held = AccessTokens(store)

    def login(
        self, name: str, show: Callable[[DeviceCode], None], pause: Callable[[float], object] = time.sleep
    ) -> str:
        """Sign in by a device code, which `show` tells to whoever enters it. Waits until that is done; until then
        nothing has changed. `pause` waits between two questions, and may raise `AdminError` to give up.

        Returns who signed in, as far as Entra says. Raises `AdminError`.
        """
        with self._ledger.attempt(Acts.LOGIN_CREDENTIAL, name) as record:
            organization = self._organization()
            credential = _found(organization, name)
            if credential.kind is not CredentialKind.DEVICE_CODE:
                raise AdminError(
                    f'the credential "{name}" is of kind {credential.kind}; only a device_code is signed in'
                )
            user = self._signed_in(organization, credential, show, pause)
            self._ledger.write(record([AuditChange("SignedInAs", after=user)]))
        return user

    def forget_others(self) -> None:
        """Whatever is held of credentials that are no more, or others by now."""
        from posthouse.transports.tokens import key_of

        self._held.keep({key_of(credential) for credential in self._organization().credentials})

    def _signed_in(
        self,
        organization: Organization,
        credential: Credential,
        show: Callable[[DeviceCode], None],
        pause: Callable[[float], object],
    ) -> str:
        """The user consents for one resource; the tokens of the others come by what he got for it."""
        from posthouse.net.oauth_wire import TokenError
        from posthouse.transports.sign_in import scopes_of
        from posthouse.transports.tokens import NoToken, TokenSource

        source = TokenSource(self._store, own_roots=organization.trusted_roots)
        scope, *others = scopes_of(organization, credential)
        try:
            given = self._asked(organization, credential, scope, show, pause)
            source.keep_user(credential, scope, given.token, given.refresh_token)
            for other in others:
                source.obtain(credential, other, afresh=True)
        except (TokenError, NoToken) as error:
            raise AdminError(str(error)) from None
        return given.user

    def _asked(
        self,
        organization: Organization,
        credential: Credential,
        scope: str,
        show: Callable[[DeviceCode], None],
        pause: Callable[[float], object],
    ) -> UserToken:
        from posthouse.net.oauth_user import PublicClient, device_code

        client = PublicClient(credential.tenant, credential.client_id, credential.authority)
        with device_code(client, scope, own_roots=organization.trusted_roots) as code:
            show(code)
            return code.wait(pause)

    def _organization(self) -> Organization:
        return from_document(self._organizations.load().document or {})


def _found(organization: Organization, name: str) -> Credential:
    for credential in organization.credentials:
        if credential.name.casefold() == name.casefold():
            return credential
    names = ", ".join(credential.name for credential in organization.credentials) or "none"
    raise NotFound(f'there is no credential "{name}"; there are: {names}')
