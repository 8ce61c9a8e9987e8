"""How somebody who is not on the host becomes an actor: by password, by an identity provider, by a session, by an API
token."""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from posthouse.admin import passwords, recovery, totp
from posthouse.admin.actors import VOUCHED, Actor, Face, anonymous
from posthouse.admin.administrators import approve_new, new_administrator, token_hash
from posthouse.admin.audit import record_of
from posthouse.admin.errors import AdminError, LockedOut, SignInRefused
from posthouse.admin.roles import Acts, Role
from posthouse.spool import (
    Administrator,
    AdministratorChange,
    AdministratorTable,
    AuditChange,
    AuditLog,
    AuditOutcome,
    NewSession,
    SecondProof,
    SignInTable,
    Store,
    StoredSession,
    TokenTable,
)

if TYPE_CHECKING:
    from posthouse.net.oidc import Identity

SESSION_SECONDS = 12 * 3600.0
IDLE_SECONDS = 30 * 60.0
_TOUCH_AFTER = 60.0
"""Seconds within which use isn't written down again."""
_FREE_OF_ACCOUNT, _FREE_OF_ORIGIN = 4, 20
"""Failures that cost no wait. Many people may share an address."""

_SIGN_IN, _SIGN_OUT = "Connect-Administrator", "Disconnect-Administrator"
_SET_UP, _USE_TOKEN = "New-Administrator", "Use-ApiToken"


class Authentication:
    """On one store. `origin` is the IP address that the request came from.

    `granted` are the roles that claims of the identity provider give.
    """

    def __init__(self, store: Store, granted: Mapping[str, Role] | None = None) -> None:
        self._granted = granted or {}
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
        proof = self._proof(who, password, code)
        if who is not None and proof is not None:
            session = secrets.token_urlsafe(32)
            self._purge()
            record = record_of(_actor(who, face, origin), _SIGN_IN, who.name)
            new = NewSession(token_hash(session), origin, account_key, origin_key)
            if self._sign_ins.succeed(who, proof, new, record):
                return session
        # An unknown name may be a password, typed into the wrong field: it isn't written down.
        self._refuse(_SIGN_IN, who.name if who else "(unknown)", face, origin)
        raise SignInRefused("name, password or code is wrong; try again")

    def sign_in_vouched(self, identify: Callable[[], Identity], *, face: Face, origin: str) -> str:
        """Begin a session of whom an identity provider vouches for, if a claim that it makes gives a role.

        Returns the session's id. Raises as `sign_in` does, with the reason.
        """
        from posthouse.net.oidc import IdentityError

        origin_key = _origin_key(origin)
        self._let_in({origin_key: _FREE_OF_ORIGIN})
        try:
            who = identify()
        except IdentityError as error:
            self._refuse(_SIGN_IN, "(unknown)", face, origin, str(error))
            raise SignInRefused(str(error)) from None
        claims = [claim for claim in who.claims if claim in self._granted]
        actor = Actor(VOUCHED + who.name, self._roles_by(claims), face, origin)
        if not actor.roles:
            reason = f"no role here is given to {who.name}"
            self._refuse(_SIGN_IN, actor.name, face, origin, reason)
            raise SignInRefused(f"{reason}; have an administrator map one in admin.oidc_roles")
        session = secrets.token_urlsafe(32)
        self._purge()
        new = NewSession(token_hash(session), origin, "", origin_key)
        self._sign_ins.vouched(actor.name, claims, new, record_of(actor, _SIGN_IN, actor.name))
        return session

    def by_session(self, session: str, *, face: Face, origin: str) -> Actor | None:
        """The actor with the roles of now. None where the session is over, or never was."""
        found = self._sign_ins.session(hashed := token_hash(session))
        if found is None or _is_over(found) or not (actor := self._actor_of(found, face, origin)):
            return None
        if time.time() >= found.seen_at + _TOUCH_AFTER:
            self._sign_ins.touch(hashed)
        return actor

    def change_password(self, name: str, password: str, new: str, code: str = "", *, face: Face, origin: str) -> str:
        """Of whoever knows the one of now, whatever his roles. All his sessions end but for a new one, whose id is
        returned. Raises as `sign_in` does.
        """
        change = AdministratorChange(password_hash=passwords.hashed(new, name))
        return self._change_own(name, password, code, change, AuditChange("Password", after="(set)"), face, origin)

    def change_totp(
        self, name: str, password: str, code: str, totp_secret: bytes, first: str, *, face: Face, origin: str
    ) -> str:
        """Ask for codes of an app from now on, or of another one; or no longer, with an empty secret.

        `first` is a code of the new secret. The rest is as in `change_password`.
        """
        step = totp.step_of(totp_secret, first, time.time()) if totp_secret else 0
        if step is None:
            raise AdminError("first: this is not the code that the app shows; check the clock of the phone")
        change = AdministratorChange(totp=totp_secret, totp_step=step)
        told = AuditChange("Totp", after=bool(totp_secret))
        return self._change_own(name, password, code, change, told, face, origin)

    def new_recovery_codes(self, session: str, *, face: Face, origin: str) -> tuple[str, ...]:
        """In place of those that there were. They are returned, and can't be shown again."""
        actor = self.by_session(session, face=face, origin=origin)
        if actor is None:
            raise SignInRefused("the session is over; sign in again")
        codes = recovery.new_codes()
        change = AuditChange("RecoveryCodes", after="(set)")
        record = record_of(actor, Acts.SET_ADMINISTRATOR.name, actor.name, [change])
        self._administrators.put_recovery_codes(actor.name, [recovery.code_hash(code) for code in codes], record)
        return codes

    def asks_for_codes(self, name: str) -> bool:
        who = self._administrators.all().get(name)
        return who is not None and who.has_totp

    def recovery_codes_left(self, name: str) -> int:
        return len(self._administrators.recovery_codes(name))

    def sessions(self, name: str) -> tuple[StoredSession, ...]:
        """Those of one that aren't over; of all without a name."""
        return tuple(each for each in self._sign_ins.sessions(name) if not _is_over(each))

    def sign_out_everywhere(self, actor: Actor) -> None:
        """End all sessions of his, this one too."""
        ended = record_of(actor, _SIGN_OUT, actor.name, [AuditChange("Sessions", after="(ended)")])
        self._sign_ins.end_all(actor.name, ended)

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

    def invited(self, secret: str) -> str | None:
        """The name of whom an invitation is for."""
        who = self._administrators.invited(token_hash(secret))
        return who.name if who else None

    def accept_invitation(self, secret: str, password: str, *, face: Face, origin: str) -> str:
        """Set the password of whom the invitation is for, and return his name. Raises `AdminError`."""
        self._let_in({_origin_key(origin): _FREE_OF_ORIGIN})
        hashed = token_hash(secret)
        if (who := self._administrators.invited(hashed)) is not None:
            new = passwords.hashed(password, who.name)
            record = record_of(
                _actor(who, face, origin),
                Acts.SET_ADMINISTRATOR.name,
                who.name,
                [AuditChange("Password", after="(set)"), AuditChange("Invitation", after="(used)")],
            )
            if self._administrators.redeem_invitation(hashed, who, new, record):
                return who.name
        self._refuse(Acts.SET_ADMINISTRATOR.name, who.name if who else "(unknown)", face, origin)
        raise SignInRefused("the link is used up or older than a day; ask an administrator for another one")

    def _change_own(
        self,
        name: str,
        password: str,
        code: str,
        change: AdministratorChange,
        told: AuditChange,
        face: Face,
        origin: str,
    ) -> str:
        session = self.sign_in(name, password, code, face=face, origin=origin)
        actor = self.by_session(session, face=face, origin=origin)
        if actor is None:
            raise SignInRefused("the session is over; sign in again")
        record = record_of(actor, Acts.SET_ADMINISTRATOR.name, actor.name, [told])
        change = replace(change, keep_session=token_hash(session))
        self._administrators.change(actor.name, change, lambda _before, _after: record)
        return session

    def _actor_of(self, session: StoredSession, face: Face, origin: str) -> Actor | None:
        """Whoever the session belongs to, while he may sign in."""
        if session.name.startswith(VOUCHED):
            actor = Actor(session.name, self._roles_by(session.claims), face, origin)
            return actor if actor.roles else None
        who = session.administrator
        return _actor(who, face, origin) if who and who.enabled else None

    def _roles_by(self, claims: Iterable[str]) -> tuple[Role, ...]:
        given = {self._granted[claim] for claim in claims if claim in self._granted}
        return tuple(role for role in Role if role in given)

    def _purge(self) -> None:
        self._sign_ins.purge(time.time() - SESSION_SECONDS, time.time() - IDLE_SECONDS)

    def _let_in(self, free: dict[str, int]) -> None:
        if until := self._sign_ins.begin(free):
            raise LockedOut(until - time.time())

    def _proof(self, who: Administrator | None, password: str, code: str) -> SecondProof | None:
        """None where something is wrong."""
        if not passwords.matches(password, who.password_hash if who else None) or who is None or not who.enabled:
            return None
        if not who.has_totp:
            return SecondProof()
        try:
            step = totp.step_of(self._administrators.totp(who.name), code, time.time())
        except KeyError:  # it was just taken away
            return None
        if step is not None:
            return SecondProof(step)
        hashed = recovery.code_hash(code)
        return SecondProof(recovery_hash=hashed) if hashed in self._administrators.recovery_codes(who.name) else None

    def _refuse(self, act: str, target: str, face: Face, origin: str, reason: str = "not who they say") -> None:
        self._log.append(record_of(anonymous(face, origin), act, target, outcome=AuditOutcome.REFUSED, reason=reason))


def _is_over(session: StoredSession) -> bool:
    return time.time() >= min(session.created_at + SESSION_SECONDS, session.seen_at + IDLE_SECONDS)


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
