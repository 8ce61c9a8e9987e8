"""An administrator's acts on the Exchange Online tenant behind this relay: look, plan, carry out, try."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from posthouse.admin.actors import Actor
from posthouse.admin.administration import Administration, Applied
from posthouse.admin.errors import AdminError, NotFound
from posthouse.admin.references import Document
from posthouse.admin.roles import Acts, change_of
from posthouse.admin.tenant.facts import TenantState, read_tenant
from posthouse.admin.tenant.plan import NEW, Item, Plan, Terms, make_plan
from posthouse.admin.tenant.verification import Trial, Verdict, send_tests
from posthouse.admin.tenant.ways import connectors_of, read_addresses, ways_of
from posthouse.mail.text import one_line
from posthouse.net.certificates import Identity, load_pfx
from posthouse.net.exchange_online import ExchangeError, ExchangeOnline, endpoint_of
from posthouse.net.oauth_scopes import outlook_scope
from posthouse.organization import Credential, Organization
from posthouse.organization.connectors import ClientCertificateRef, TenantConnection
from posthouse.settings import Settings
from posthouse.spool import AuditChange, Secrets, Store, open_store
from posthouse.transports.tokens import NoToken, TokenSource

_NOT_CONNECTED = "no tenant is connected; run posthouse tenant connect CREDENTIAL"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be planned for: outbound connectors, by default those that go to Microsoft 365; the `addresses` that
    the tenant sees us come from; and the Name of a connector there to `take`, which wasn't made from here."""

    connectors: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    take: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was carried out, and what the tenant warned of."""

    item: Item
    warnings: tuple[str, ...]


class Tenant:
    """Each act checks the roles of the administration's actor first. All are blocking, and raise `AdminError`."""

    def __init__(self, store: Store, administration: Administration, settings: Settings) -> None:
        self._store = store
        self._administration = administration
        self._ledger = administration.ledger
        self._secrets = Secrets(store)
        self._settings = settings

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, actor: Actor | None = None) -> Iterator[Tenant]:
        """On the store of these settings, which is made and migrated where needed."""
        store = open_store(settings.store_url, settings.data_dir)
        try:
            yield cls(store, Administration(store, actor=actor), settings)
        finally:
            store.close()

    def connect(self, credential: str, endpoint: str = "") -> Applied:
        """Keep by which credential the tenant is administered, once it has let us in by it."""
        organization = self._administration.organization()
        names = (each.name for each in organization.credentials if each.name.casefold() == credential.casefold())
        connection = TenantConnection(next(names, credential), endpoint)

        def edit(document: Document) -> Document:
            kept = {"credential": connection.credential, "endpoint": connection.endpoint}
            return {**document, "tenant": {key: value for key, value in kept.items() if value}}

        def change(*, dry_run: bool) -> Applied:
            return self._administration.change(
                edit, Path.cwd(), dry_run=dry_run, act=Acts.CONNECT_TENANT, target=credential
            )

        change(dry_run=True)
        with self._ledger.attempt(Acts.CONNECT_TENANT, credential), _in_its_words():
            self._client(organization, connection).invoke("Get-OrganizationConfig")
        return change(dry_run=False)

    def disconnect(self) -> Applied:
        """Forget it; nothing changes in the tenant."""

        def edit(document: Document) -> Document:
            return {key: value for key, value in document.items() if key != "tenant"}

        return self._administration.change(edit, Path.cwd(), act=Acts.CONNECT_TENANT)

    @property
    def is_connected(self) -> bool:
        return self._administration.organization().tenant is not None

    def show(self) -> TenantState:
        """What the tenant has."""
        self._ledger.check(Acts.GET_TENANT)
        with _in_its_words():
            return read_tenant(self._connected(self._administration.organization()))

    def plan(self, wish: Wish, *, look: bool = True) -> Plan:
        """What is to be done there; without a `look`, for a tenant of which nothing is known."""
        self._ledger.check(Acts.GET_TENANT)
        organization = self._administration.organization()
        addresses = read_addresses(wish.addresses)
        ways = ways_of(organization, self._identity, names=wish.connectors, addresses=addresses)
        if wish.take and len(ways) != 1:
            raise AdminError("--take is for one outbound connector; name it with --connector")
        state = self.show() if look else None
        if state and wish.take and wish.take.casefold() not in (each.name.casefold() for each in state.connectors):
            names = ", ".join(each.name for each in state.connectors) or "none"
            raise NotFound(f'the tenant has no inbound connector "{one_line(wish.take)}"; it has: {names}')
        return make_plan(organization, ways, state, Terms(self._settings.hostname, wish.take))

    def apply(
        self, wish: Wish, approve: Callable[[Plan], None], tell: Callable[[Done], None] = lambda done: None
    ) -> tuple[Done, ...]:
        """Plan anew, and carry the plan out if `approve` doesn't raise: step by step, up to the first refusal."""
        self._ledger.check(change_of("Set", "TenantInboundConnector"))
        plan = self.plan(wish)
        approve(plan)
        tenant = self._connected(self._administration.organization())
        done: list[Done] = []
        for item in plan.steps:
            try:
                done.append(self._carried_out(tenant, item))
            except AdminError as error:
                raise AdminError(*error.lines, _so_far(done)) from None
            tell(done[-1])
        return tuple(done)

    def verify(self, trial: Trial, connectors: Sequence[str] = ()) -> tuple[Verdict, ...]:
        """Send a test mail to each recipient by each way into the tenant, and tell what it says."""
        self._ledger.check(Acts.SEND_TEST)
        organization = self._administration.organization()
        outbound = connectors_of(organization, connectors)
        if not outbound:
            raise AdminError("no outbound connector goes to an MX endpoint of Microsoft 365; name one with --connector")
        with self._ledger.attempt(Acts.SEND_TEST, f"{trial.internal}, {trial.external}") as record:
            verdicts = tuple(send_tests(trial, outbound, self._identity, organization, self._settings))
            self._ledger.write(record())
        return verdicts

    def _carried_out(self, tenant: ExchangeOnline, item: Item) -> Done:
        """On record like a change here, by the connector's name, done or refused."""
        name = str(item.parameters.get("Identity") or item.parameters["Name"])
        act = change_of("New" if item.cmdlet == NEW else "Set", "TenantInboundConnector")
        with self._ledger.attempt(act, name) as record, _in_its_words():
            answer = tenant.invoke(item.cmdlet, item.parameters)
            changes = [AuditChange(key, after=value) for key, value in item.parameters.items()]
            self._ledger.write(record(changes))
        return Done(item, answer.warnings)

    def _connected(self, organization: Organization) -> ExchangeOnline:
        if organization.tenant is None:
            raise AdminError(_NOT_CONNECTED)
        return self._client(organization, organization.tenant)

    def _client(self, organization: Organization, connection: TenantConnection) -> ExchangeOnline:
        credential = next(each for each in organization.credentials if each.name == connection.credential)
        endpoint = connection.endpoint or endpoint_of(credential.authority)
        token = _Token(TokenSource(self._store, own_roots=organization.trusted_roots), credential)
        return ExchangeOnline(endpoint, credential.tenant, token, own_roots=organization.trusted_roots)

    def _identity(self, reference: ClientCertificateRef) -> Identity:
        return load_pfx(self._secrets.get(reference.secret), source="the client certificate")


@dataclass(frozen=True, slots=True)
class _Token:
    """The application's, shared with the workers of the relay."""

    source: TokenSource
    credential: Credential

    def __call__(self, *, afresh: bool) -> str:
        scope = outlook_scope(self.credential.authority)
        return self.source.obtain(self.credential, scope, afresh=afresh).value


@contextmanager
def _in_its_words() -> Iterator[None]:
    """What Entra or the tenant refuses, as `AdminError`."""
    try:
        yield
    except (ExchangeError, NoToken) as error:
        raise AdminError(str(error)) from None


def _so_far(done: Sequence[Done]) -> str:
    if not done:
        return "nothing was changed in the tenant"
    names = ", ".join(str(each.item.parameters.get("Identity") or each.item.parameters["Name"]) for each in done)
    return f"before that these were changed, and stay so: {names}"
