"""Links of answers: to URLs, and to Link fields."""

from __future__ import annotations

from typing import Any

import pytest
from outgoing_support import SPEC, sending, subscribe

from brrtrouter import App, Request, Response
from brrtrouter.errors import OutgoingError
from brrtrouter.spec.load import load

MADE = (201, {"id": "s 1"})


def resolved(result: Any = MADE, name: str | None = None, **outgoing: Any) -> Any:
    """All links of an answer, or one of them."""
    found: list[Any] = []

    async def act(app: App, request: Request) -> Any:
        found.append(app.links(request, result) if name is None else app.link(name, request, result))
        return 201, {}

    assert subscribe(sending(act, **outgoing), {}).status == 201
    return found[0]


def test_a_link_is_the_path_of_its_operation_with_parameters_from_the_exchange() -> None:
    links = resolved()
    assert {name: (link.method, link.url) for name, link in links.items()} == {
        "getSubscription": ("GET", "/v1/subscriptions/dogs/s%201?verbose=true"),
        "byReference": ("DELETE", "/v1/subscriptions/dogs/s%201"),
        "next": ("GET", "/v1/subscriptions/dogs/n-s%201"),
        "elsewhere": ("GET", "https://other.example/api/subscriptions/k/a%20b%2Fc"),
        "shared": ("GET", "/v1/subscriptions/shared/201"),
        "withHeader": ("GET", "/v1/subscriptions/k/h"),
    }
    assert links["byReference"].body == {"why": "gone"}
    assert links["getSubscription"].operation.operation_id == "getSubscription"
    assert links["getSubscription"].body is None
    assert links["withHeader"].headers == {"X-Lang": "de"}


def test_a_base_url_makes_links_absolute() -> None:
    links = resolved(base_url="https://api.example/")
    assert links["byReference"].url == "https://api.example/v1/subscriptions/dogs/s%201"
    assert links["elsewhere"].url.startswith("https://other.example/")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("withoutId", "link 'withoutId': path /id: is required and has no value"),
        ("nowhere", "link 'nowhere': its operation is not part of this document"),
        ("other", "link 'other': the answer of this operation does not declare it"),
    ],
)
def test_a_link_that_leads_nowhere_says_why(name: str, words: str) -> None:
    found: list[str] = []

    async def act(app: App, request: Request) -> Any:
        try:
            app.link(name, request, MADE)
        except OutgoingError as error:
            found.append(str(error))
        return 201, {}

    subscribe(sending(act), {})
    assert found == [words]


def test_a_link_of_the_components_is_a_link() -> None:
    assert resolved(name="shared").url == "/v1/subscriptions/shared/201"


def test_one_link_is_found_by_its_name() -> None:
    assert resolved(name="byReference").method == "DELETE"


@pytest.mark.parametrize("result", [(200, {"id": "s"}), Response(404)])
def test_an_answer_of_another_status_has_no_links(result: Any) -> None:
    assert resolved(result) == {}


def test_an_expression_that_gives_nothing_leaves_its_parameter_out() -> None:
    assert resolved((201, {}))["elsewhere"].method == "GET"
    assert "getSubscription" not in resolved((201, {}))


def test_link_fields_are_written_when_they_are_asked_for() -> None:
    async def act(app: App, request: Request) -> Any:
        return MADE

    assert "link" not in subscribe(sending(act), {}).headers
    answer = subscribe(sending(act, link_header=True), {})
    assert answer.headers["link"].split(", ") == [
        '</v1/subscriptions/dogs/s%201?verbose=true>; rel="related"; title="getSubscription"',
        '</v1/subscriptions/dogs/n-s%201>; rel="next"; title="next"',
        '<https://other.example/api/subscriptions/k/a%20b%2Fc>; rel="https://rel.example/other"; title="elsewhere"',
        '</v1/subscriptions/shared/201>; rel="related"; title="shared"',
    ]


def test_a_link_to_nothing_is_a_warning_of_the_loader() -> None:
    issues = {(issue.kind, issue.pointer) for issue in load(SPEC).issues}
    base = "/paths/~1subscriptions~1{kind}/post/responses/201/links"
    assert ("UnresolvableLink", f"{base}/nowhere") in issues
    assert not any(kind == "NotExecuted" for kind, _ in issues)
