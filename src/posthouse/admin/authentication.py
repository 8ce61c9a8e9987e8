"""How somebody who is not on the host becomes an actor: by password, by a session, by an API token."""

from __future__ import annotations

import ipaddress
import secrets
import time
from functools import partial

from posthouse.admin import passwords, totp
from posthouse.admin.actors import Actor, Face, anonymous
from posthouse.admin.administrators import approve_new, new_administrator, token_hash
from posthouse.admin.audit import record_of
from posthouse.admin.errors import LockedOut, SignInRefused
from posthouse.admin.roles import Acts, Role
from posthouse.spool import (
    Administrator,
    AdministratorChange,
    AdministratorTable,
    AuditChange,
    AuditLog,
    AuditOutcome,
    SignInTable,
    Store,
    TokenTable,
)

SESSION_SECONDS = 12 * 3600.0
IDLE_SECONDS = 30 * 60.0
_TOUCH_AFTER = 60.0
"""Seconds within which use isn't written down again."""
_FREE_OF_ACCOUNT, _FREE_OF_ORIGIN = 4, 20
"""Failures that cost no wait. Many people may share an address."""

_SIGN_IN, _SIGN_OUT = "Connect-Administrator", "Disconnect-Administrator"
_SET_UP, _USE_TOKEN = "New-Administrator", "Use-ApiToken"


class Authentication:
    """On one store. `origin` is the IP address that the request came from."""

    def __init__(self, store: Store) -> None:
        self._administrators = AdministratorTable(store)
        self._sign_ins = SignInTable(store)
        self._tokens = TokenTable(store)
        self._log = AuditLog(store)

    def sign_in(self, name: str, password: str, code: str = "", *, face: Face, origin: str) -> str:
        """Begin a session. Returns its id, which is not stored. Raises `SignInRefused`, or `LockedOut` of its kind.

        Names that are not there cost the same work and the same waits as those that are. What was refused unseen,
        during a wait, is not on record: the failure before it is.
        """
        name = name.strip().lower()
        account_key, origin_key = f"account:{token_hash(name)}", _origin_key(origin)
        self._let_in({account_key: _FREE_OF_ACCOUNT, origin_key: _FREE_OF_ORIGIN})
        who = self._administrators.all().get(name)
        step = self._step(who, password, code)
        if who is not None and step is not None:
            actor = _actor(who, face, origin)
            session = secrets.token_urlsafe(32)
            self._sign_ins.purge(time.time() - SESSION_SECONDS, time.time() - IDLE_SECONDS)
            record = record_of(actor, _SIGN_IN, who.name)
            if self._sign_ins.succeed(who, step, token_hash(session), account_key, origin_key, record):
                return session
        # An unknown name may be a password, typed into the wrong field: it isn't written down.
        self._refuse(_SIGN_IN, who.name if who else "(unknown)", face, origin)
        raise SignInRefused("name, password or code is wrong; try again")

    def by_session(self, session: str, *, face: Face, origin: str) -> Actor | None:
        """The actor with the roles of now. None where the session is over, or never was."""
        found = self._sign_ins.session(hashed := token_hash(session))
        now = time.time()
        if found is None or not found.administrator.enabled:
            return None
        if now >= min(found.created_at + SESSION_SECONDS, found.seen_at + IDLE_SECONDS):
            return None
        if now >= found.seen_at + _TOUCH_AFTER:
            self._sign_ins.touch(hashed)
        return _actor(found.administrator, face, origin)

    def change_password(self, name: str, password: str, new: str, code: str = "", *, face: Face, origin: str) -> None:
        """Of whoever knows the one of now, whatever his roles. All his sessions end. Raises as `sign_in` does."""
        session = self.sign_in(name, password, code, face=face, origin=origin)
        actor = self.by_session(session, face=face, origin=origin)
        if actor is None:
            raise SignInRefused("the session is over; sign in again")
        change = AdministratorChange(password_hash=passwords.hashed(new, actor.name))
        record = record_of(actor, Acts.SET_ADMINISTRATOR.name, actor.name, [AuditChange("Password", after="(set)")])
        self._administrators.change(actor.name, change, lambda _before, _after: record)

    def sign_out(self, session: str, *, face: Face, origin: str) -> None:
        """End a session; none is ended without a word."""
        if (actor := self.by_session(session, face=face, origin=origin)) is not None:
            self._sign_ins.end(token_hash(session), record_of(actor, _SIGN_OUT, actor.name))

    def by_token(self, token: str, *, face: Face, origin: str) -> Actor:
        """The actor that an API token stands for. Raises `SignInRefused`."""
        found = self._tokens.with_hash(token_hash(token))
        now = time.time()
        if found is None or found.expires_at <= now:
            self._let_in({_origin_key(origin): _FREE_OF_ORIGIN})  # bounds what is written; tokens can't be guessed
            self._refuse(_USE_TOKEN, found.name if found else "(unknown)", face, origin)
            raise SignInRefused("the token is none, or has expired; posthouse token new makes another")
        if found.used_at is None or now >= found.used_at + _TOUCH_AFTER:
            self._tokens.touch(found.name)
        return Actor(f"token:{found.name}", _roles((found.role,)), face, origin)

    def set_up(self, secret: str, name: str, password: str, *, face: Face, origin: str) -> None:
        """Make the first administrator with the secret of a set-up link. Raises `AdminError`."""
        self._let_in({_origin_key(origin): _FREE_OF_ORIGIN})
        new = new_administrator(name, password, [Role.ORGANIZATION_MANAGEMENT])
        record = partial(record_of, anonymous(face, origin), _SET_UP, new.name)
        if not self._administrators.redeem_setup(token_hash(secret), new, approve_new(new, record)):
            self._refuse(_SET_UP, new.name, face, origin)
            raise SignInRefused("the set-up link is used up or older than a day; posthouse admin setup-link makes one")

    def _let_in(self, free: dict[str, int]) -> None:
        if until := self._sign_ins.begin(free):
            raise LockedOut(until - time.time())

    def _step(self, who: Administrator | None, password: str, code: str) -> int | None:
        """The step of the code, 0 without TOTP; None where something is wrong."""
        if not passwords.matches(password, who.password_hash if who else None) or who is None or not who.enabled:
            return None
        if not who.has_totp:
            return 0
        try:
            return totp.step_of(self._administrators.totp(who.name), code, time.time())
        except KeyError:  # it was just taken away
            return None

    def _refuse(self, act: str, target: str, face: Face, origin: str) -> None:
        actor = anonymous(face, origin)
        self._log.append(record_of(actor, act, target, outcome=AuditOutcome.REFUSED, reason="not who they say"))


def _actor(who: Administrator, face: Face, origin: str) -> Actor:
    return Actor(who.name, _roles(who.roles), face, origin)


def _roles(names: tuple[str, ...]) -> tuple[Role, ...]:
    """Those that this version knows."""
    return tuple(role for role in Role if role in names)


def _origin_key(origin: str) -> str:
    """An address; of IPv6 its /64, since whoever has one address there has all of them."""
    try:
        address = ipaddress.ip_address(origin)
    except ValueError:
        return f"origin:{origin[:64]}"
    network = ipaddress.ip_network((address, 64), strict=False) if address.version == 6 else address
    return f"origin:{network}"
