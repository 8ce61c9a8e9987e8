"""Acts on administrators: who may sign in, and what they may do then."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from posthouse.admin import passwords
from posthouse.admin.actors import VOUCHED
from posthouse.admin.audit import Ledger, Record
from posthouse.admin.errors import AdminError, AlreadyThere, NotFound
from posthouse.admin.names import checked_name
from posthouse.admin.roles import Acts, Role
from posthouse.spool import (
    Administrator,
    AdministratorChange,
    AdministratorTable,
    AuditChange,
    AuditRecord,
    SignInTable,
    Store,
)

Everyone = dict[str, Administrator]
Approve = Callable[[Administrator], None]
_LINK_SECONDS = 24 * 3600.0


class Administrators:
    """Those of one store. What they are shown as has no secret."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._table = AdministratorTable(store)
        self._sign_ins = SignInTable(store)
        self._ledger = ledger

    def list(self) -> tuple[Administrator, ...]:
        """All, by name."""
        self._ledger.check(Acts.GET_ADMINISTRATOR)
        return tuple(self._table.all().values())

    def new(self, name: str, password: str, roles: Sequence[Role], *, totp: bytes | None = None) -> None:
        """The set-up link is void from then on. `totp`: the secret that the administrator's app makes codes from."""
        with self._ledger.attempt(Acts.NEW_ADMINISTRATOR, name) as record:
            new = new_administrator(name, password, roles)
            self._table.add(new, approve_new(new, record), totp or b"")

    def new_invited(self, name: str, roles: Sequence[Role], base_url: str) -> str:
        """One without a password yet. Returns the link of `invite`."""
        with self._ledger.attempt(Acts.NEW_ADMINISTRATOR, name) as record:
            new = Administrator(checked_name(name), "", _checked_roles(roles))
            self._table.add(new, approve_new(new, record))
        return self.invite(name, base_url)

    def invite(self, name: str, base_url: str) -> str:
        """A link by which its owner sets a password, once, within 24 hours; earlier ones are void.

        Until then a password that there is stays good.
        """
        with self._ledger.attempt(Acts.SET_ADMINISTRATOR, name) as record:
            name = checked_name(name)
            self._require_another(name)
            secret = secrets.token_urlsafe(32)
            until = time.time() + _LINK_SECONDS
            made = record([AuditChange("Invitation", after="(made)")])
            self._known(name, lambda: self._table.invite(name, token_hash(secret), until, made))
        return f"{base_url.rstrip('/')}/invitation?{urlencode({'secret': secret})}"

    def set(
        self,
        name: str,
        *,
        password: str | None = None,
        roles: Sequence[Role] | None = None,
        enabled: bool | None = None,
        totp: bytes | None = None,
        approve: Approve = lambda _: None,
    ) -> None:
        """None leaves what is there; an empty `totp` ends the asking for codes.

        A new password, another or no `totp`, and being disabled end the sessions. `approve` sees what is there, and
        raises `AdminError` where it should not be changed. One's own password and codes are changed by
        `Authentication`, which asks for the password of now.
        """
        with self._ledger.attempt(Acts.SET_ADMINISTRATOR, name) as record:
            name = checked_name(name)
            if (password, totp) != (None, None) or enabled is False:
                self._require_another(name)
            change = AdministratorChange(
                password_hash=None if password is None else passwords.hashed(password, name),
                totp=totp,
                roles=None if roles is None else _checked_roles(roles),
                enabled=enabled,
            )

            def approved(before: Everyone, after: Everyone) -> AuditRecord:
                approve(before[name])
                _keep_a_manager(before, after)
                return record(_difference(before[name], after[name], change))

            self._known(name, lambda: self._table.change(name, change, approved))

    def remove(self, name: str, *, approve: Approve = lambda _: None) -> None:
        with self._ledger.attempt(Acts.REMOVE_ADMINISTRATOR, name) as record:
            name = checked_name(name)
            self._require_another(name)

            def approved(before: Everyone, after: Everyone) -> AuditRecord:
                approve(before[name])
                _keep_a_manager(before, after)
                return record([AuditChange("Roles", before=list(before[name].roles))])

            self._known(name, lambda: self._table.remove(name, approved))

    def end_sessions(self, name: str) -> None:
        """Whoever is signed in by that name is so no longer."""
        with self._ledger.attempt(Acts.SET_ADMINISTRATOR, name) as record:
            ended = record([AuditChange("Sessions", after="(ended)")])
            if name.startswith(VOUCHED):
                self._sign_ins.end_all(name, ended)
            else:
                name = checked_name(name)
                self._known(name, lambda: self._table.end_sessions(name, ended))

    def setup_link(self, base_url: str) -> str:
        """A link that makes the first administrator, once, within 24 hours; earlier ones are void.

        Raises `AdminError` where there is one already.
        """
        with self._ledger.attempt(Acts.NEW_SETUP_LINK) as record:

            def approve(before: Everyone, after: Everyone) -> AuditRecord:
                if before:
                    names = ", ".join(before)
                    raise AdminError(f"there is an administrator already: {names}; posthouse admin new makes another")
                return record()

            secret = secrets.token_urlsafe(32)
            self._table.offer_setup(token_hash(secret), time.time() + _LINK_SECONDS, approve)
        return f"{base_url.rstrip('/')}/setup?{urlencode({'secret': secret})}"

    def _require_another(self, name: str) -> None:
        if name == self._ledger.actor.name:
            raise AdminError("nobody does this to himself: change your own password and codes as your account's owner")

    def _known(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        except KeyError:
            names = ", ".join(self._table.all()) or "none"
            raise NotFound(f'there is no administrator "{name}"; there are: {names}') from None


def new_administrator(name: str, password: str, roles: Sequence[Role]) -> Administrator:
    """Checked, and with the password hashed. Raises `AdminError`."""
    name = checked_name(name)
    return Administrator(name, passwords.hashed(password, name), _checked_roles(roles))


def approve_new(new: Administrator, record: Record) -> Callable[[Everyone, Everyone], AuditRecord]:
    def approve(before: Everyone, after: Everyone) -> AuditRecord:
        if new.name in before:
            raise AlreadyThere(f'there is an administrator "{new.name}" already; take another name')
        password = [AuditChange("Password", after="(set)")] if new.password_hash else []
        return record([AuditChange("Roles", after=list(new.roles)), *password])

    return approve


def token_hash(token: str) -> str:
    """What is stored of a session's id, an API token or a set-up secret.

    A single SHA-256 will do, unlike for passwords: 256 random bits can't be guessed, so there is nothing to slow down,
    and it is computed for every request.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _checked_roles(roles: Sequence[Role]) -> tuple[str, ...]:
    if not roles:
        raise AdminError(f"an administrator needs a role; give one of: {', '.join(Role)}")
    return tuple(role.value for role in Role if role in roles)


def _keep_a_manager(before: Everyone, after: Everyone) -> None:
    """The last who may do everything stays, so that nobody locks everybody out."""
    if any(map(_is_manager, before.values())) and not any(map(_is_manager, after.values())):
        raise AdminError(
            f"nobody would be left with the role {Role.ORGANIZATION_MANAGEMENT}; give it to another administrator first"
        )


def _is_manager(who: Administrator) -> bool:
    return who.enabled and who.password_hash != "" and Role.ORGANIZATION_MANAGEMENT in who.roles


def _difference(before: Administrator, after: Administrator, change: AdministratorChange) -> list[AuditChange]:
    changes: list[AuditChange] = []
    if before.roles != after.roles:
        changes.append(AuditChange("Roles", list(before.roles), list(after.roles)))
    if before.enabled != after.enabled:
        changes.append(AuditChange("Enabled", before.enabled, after.enabled))
    if change.password_hash is not None:
        changes.append(AuditChange("Password", after="(set)"))
    if change.totp is not None:
        changes.append(AuditChange("Totp", before.has_totp, after.has_totp))
    return changes
