"""What the same work costs without syncd: bare loops over the libraries it is built on, and a plain script."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import requests

from bench import org

_USERS = f"/api/v1/apps/{org.APP}/users?limit=500&expand=user"
_NO_LINK: Any = {}


def executor_loop(origin: str) -> int:
    """Fetches and parses every page of app users through the SDK's request executor; returns the users seen."""
    sdk: Any = importlib.import_module("okta.request_executor")
    cache: Any = importlib.import_module("okta.cache.no_op_cache")
    logging.getLogger("okta-sdk-python").disabled = True
    config = {
        "orgUrl": origin,
        "token": "bench",
        "authorizationMode": "SSWS",
        "requestTimeout": 0,
        "rateLimit": {"maxRetries": 0},
        "userAgent": "bench",
    }

    async def read() -> int:
        executor = sdk.RequestExecutor({"client": config}, cache.NoOpCache())
        session = aiohttp.ClientSession()
        executor._http_client._session = session  # noqa: SLF001  (one connection, as our reader has)
        url: str | None = origin + _USERS
        seen = 0
        while url:
            request, error = await executor.create_request("GET", url, None, {})
            if error is None:
                _, response, body, error = await executor.fire_request(request)
            if error is not None:
                raise RuntimeError(str(error))
            seen += len(json.loads(body))
            following = response.links.get("next", _NO_LINK).get("url")
            url = None if following is None else str(following)
        await session.close()
        return seen

    return asyncio.run(read())


def aiohttp_loop(origin: str) -> int:
    """The same pages with aiohttp alone."""

    async def read() -> int:
        seen = 0
        url: str | None = origin + _USERS
        async with aiohttp.ClientSession() as session:
            while url:
                async with session.get(url) as response:
                    seen += len(json.loads(await response.read()))
                    following = response.links.get("next", _NO_LINK).get("url")
                    url = None if following is None else str(following)
        return seen

    return asyncio.run(read())


def requests_pool(scim: str, users: int, threads: int) -> float:
    """Seconds for so many POSTs of users from so many threads, each with a session of its own."""
    numbers = iter(range(users))
    lock = threading.Lock()

    def mine() -> Iterator[int]:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            yield number

    def work() -> None:
        with requests.Session() as session:
            session.trust_env = False
            for number in mine():
                session.post(
                    f"{scim}/scim/v2/Users", json=org.scim_user(number), timeout=60
                ).raise_for_status()

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()
    return time.perf_counter() - started


def naive_script(okta: str, scim: str) -> float:
    """Seconds of a plain script: the typed SDK for the list, then for each user a search and a POST, one by one."""
    module: Any = importlib.import_module("okta.client")
    logging.getLogger("okta-sdk-python").disabled = True
    os.environ["OKTA_TESTING_TESTINGDISABLEHTTPSCHECK"] = "true"  # the SDK refuses http otherwise
    client = module.Client({"orgUrl": okta, "token": "bench"})

    async def read() -> list[str]:
        ids: list[str] = []
        after: str | None = None
        while True:
            users, response, error = await client.list_application_users(
                org.APP, limit=500, expand="user", after=after
            )
            if error is not None:
                raise RuntimeError(str(error))
            ids += [user.id for user in users]
            link = str(response.headers.get("Link", ""))
            if "after=" not in link:
                return ids
            after = link.partition("after=")[2].partition(">")[0]

    started = time.perf_counter()
    with requests.Session() as session:
        session.trust_env = False
        for okta_id in asyncio.run(read()):
            number = org.user_number(okta_id)
            query = {"filter": f'userName eq "{org.email(org.key(number))}"'}
            session.get(f"{scim}/scim/v2/Users", params=query, timeout=60).json()
            session.post(f"{scim}/scim/v2/Users", json=org.scim_user(number), timeout=60).raise_for_status()
    return time.perf_counter() - started
