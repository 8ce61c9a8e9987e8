"""Looking at the pages of the admin centre without a browser: what is fetched, and the forms that are on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType

import httpx

from support.office import PASSWORD, Office


@dataclass
class Form:
    """What the form would send if its button of that value were pressed; `buttons` are those with a name."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page:
    """What an answer shows."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.path = response.url.raw_path.decode()
        reader = _Reader()
        reader.feed(response.text)
        self.text = " ".join("".join(reader.texts).split())
        self.forms = reader.forms
        self.links = reader.links
        errors = {name: " ".join("".join(texts).split()) for name, texts in reader.errors.items()}
        self.errors = {name: text for name, text in errors.items() if text}
        self.fields = dict(pair for form in self.forms for pair in form.fields)

    def form(self, action: str = "") -> Form:
        """The one whose action ends so."""
        (found,) = [form for form in self.forms if form.action.endswith(action)] if action else self.forms[-1:]
        return found


class Visit:
    """A browser session, signed in as `name` where one is given."""

    def __init__(self, office: Office, name: str = "", **headers: str) -> None:
        self._client = httpx.Client(
            base_url=office.url, headers=headers, follow_redirects=True, timeout=30, trust_env=False
        )
        if name:
            self.post("/sign-in", name=name, password=PASSWORD)

    def __enter__(self) -> Visit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def get(self, path: str, **headers: str) -> Page:
        return Page(self._client.get(path, headers=headers))

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Page:
        return Page(self._client.post(path, data=fields, headers=headers))

    def press(
        self,
        page: Page,
        action: str = "",
        button: tuple[str, str] = ("go", "next"),
        files: dict[str, bytes] | None = None,
        /,
        **filled: str,
    ) -> Page:
        """Send a form of the page, with these fields filled in and these files chosen."""
        form = page.form(action)
        pairs = [(name, value) for name, value in form.fields if name not in filled]
        data: dict[str, list[str]] = {}
        for name, value in (*pairs, *filled.items(), button):
            data.setdefault(name, []).append(value)
        path = form.action or page.path.partition("?")[0]
        if form.method == "post":
            return Page(self._client.post(path, data=data, files=files))
        return Page(self._client.get(path, params=data))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.errors: dict[str, list[str]] = {}
        self._error = ""
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
        elif tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "div" and given.get("class") == "error":
            self._error = given["id"].removesuffix("-error")
            self.errors[self._error] = []
        elif self.forms and given.get("name"):
            self._field(tag, given)

    def _field(self, tag: str, given: dict[str, str]) -> None:
        is_choice = given.get("type") in ("checkbox", "radio")
        if tag == "button":
            self.forms[-1].buttons.append((given["name"], given.get("value", "")))
        elif tag == "textarea":
            self._area = given["name"]
            self.forms[-1].fields.append((self._area, ""))
        elif tag == "input" and (not is_choice or "checked" in given):
            self.forms[-1].fields.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            self._error = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._error:
            self.errors[self._error].append(data)
        if self._area:
            self.forms[-1].fields[-1] = (self._area, data)
