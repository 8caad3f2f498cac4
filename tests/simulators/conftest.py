"""Both simulators, running, with small worlds that the tests can name people in."""

from collections.abc import Iterator
from typing import Any, Self

import pytest
import requests

from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import OktaWorld, SplitWorld, default_split

PEOPLE = ("ada", "ben", "cleo", "dan", "eve")


@pytest.fixture
def okta_world() -> OktaWorld:
    """Ada and Ben assigned directly, Cleo and Ada by Engineering, Dan and Eve not at all."""
    return OktaWorld.from_fixture(
        {
            "app": {"id": "0oa1gjh63g214q0Hq0g4"},
            "users": [
                {"email": f"{name}@example.com", "firstName": name.title(), "lastName": "Test"}
                for name in PEOPLE
            ],
            "groups": [
                {"name": "Engineering", "members": ["ada@example.com", "cleo@example.com"], "assigned": True},
                {"name": "Sales", "members": ["dan@example.com"]},
            ],
            "assignments": [{"user": "ada@example.com"}, {"user": "ben@example.com"}],
        }
    )


@pytest.fixture
def okta(okta_world: OktaWorld) -> Iterator[OktaSimulator]:
    with OktaSimulator(okta_world) as simulator:
        yield simulator


@pytest.fixture
def split() -> Iterator[SplitSimulator]:
    with SplitSimulator(default_split()) as simulator:
        yield simulator


@pytest.fixture
def split_world(split: SplitSimulator) -> SplitWorld:
    return split.world


class Client:
    """A plain HTTP client of one simulator; as a context manager it ends with it."""

    def __init__(self, base: str, authorization: str, content_type: str = "application/scim+json") -> None:
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Authorization": authorization, "Content-Type": content_type})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def send(self, method: str, path: str, **options: object) -> requests.Response:
        url = path if path.startswith("http") else self.base + path
        return self.session.request(method, url, timeout=10, allow_redirects=False, **options)  # type: ignore[arg-type]

    def get(self, path: str, **query: object) -> requests.Response:
        return self.send("GET", path, params=query)

    def post(self, path: str, body: object) -> requests.Response:
        return self.send("POST", path, json=body)

    def put(self, path: str, body: object) -> requests.Response:
        return self.send("PUT", path, json=body)

    def patch(self, path: str, *operations: object) -> requests.Response:
        schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
        return self.send("PATCH", path, json={"schemas": [schema], "Operations": list(operations)})

    def delete(self, path: str) -> requests.Response:
        return self.send("DELETE", path)

    def hire(self, person: dict[str, Any]) -> str:
        """The id of the user that this makes."""
        answer = self.post("/Users", person)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def pages(self, path: str) -> list[list[dict[str, object]]]:
        """Every page of an Okta list, by its next links."""
        found: list[list[dict[str, object]]] = []
        url: str | None = path
        while url is not None:
            answer = self.get(url)
            assert answer.status_code == 200, answer.text
            found.append(answer.json())
            url = answer.links.get("next", {}).get("url")
        return found


@pytest.fixture
def reader(okta: OktaSimulator) -> Iterator[Client]:
    with Client(okta.url, f"SSWS {okta.token}") as client:
        yield client


@pytest.fixture
def scim(split: SplitSimulator) -> Iterator[Client]:
    with Client(split.base_url, f"Bearer {split.token}") as client:
        yield client


# --- Harness ----------------------------------------------------------------------------------------


@pytest.fixture
def harness() -> Iterator[SplitSimulator]:
    """An account before provisioning: admin@example.com, who is the account admin, in two hand-made groups."""
    with SplitSimulator(default_split(flavor="harness")) as simulator:
        yield simulator


@pytest.fixture
def harness_world(harness: SplitSimulator) -> SplitWorld:
    return harness.world


@pytest.fixture
def account(harness: SplitSimulator) -> Iterator[Client]:
    with Client(harness.base_url, f"Bearer {harness.token}") as client:
        yield client


ADA: dict[str, Any] = {
    "userName": "Ada@X.com",
    "externalId": "00uada",
    "displayName": "Ada Lovelace",
    "name": {"givenName": "Ada", "familyName": "Lovelace"},
    "emails": [{"value": "other@x.com", "type": "work", "primary": True}],
    "active": True,
}


@pytest.fixture
def ada(account: Client) -> str:
    return account.hire(ADA)


@pytest.fixture
def people(account: Client) -> list[str]:
    """Ids of a@, b@ and c@x.com, whom SCIM made."""
    return [str(account.post("/Users", {"userName": f"{n}@x.com"}).json()["id"]) for n in ("a", "b", "c")]


def values(*ids: str) -> list[dict[str, str]]:
    """Members, as a client writes them."""
    return [{"value": identity} for identity in ids]


def is_scim_error(answer: requests.Response, status: int) -> bool:
    """What the SCIM resources catch."""
    body = answer.json()
    return answer.status_code == status and body["status"] == 404 and set(body) == SCIM_ERROR


def is_platform_error(answer: requests.Response, status: int, code: str) -> bool:
    """What nobody catches."""
    body = answer.json()
    return (answer.status_code, body["status"], body["code"]) == (status, "ERROR", code)


SCIM_ERROR = {"id", "externalId", "meta", "detail", "status", "schemas"}
