"""Keys, client secrets, page sessions and the policy over them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from parley.auth.client_secrets import MemorySecretStore, TooManySecrets
from parley.auth.keys import ApiKeys
from parley.auth.pages import LIFETIME_S, PageSessions, SignInLimit, cookie_header, read_cookie
from parley.auth.permissions import Permission, Principal, Refusal, SitePolicy, identify


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def tokens() -> Callable[[], str]:
    counter = itertools.count()
    return lambda: f"token{next(counter)}"


async def test_a_secret_works_many_times_until_it_expires() -> None:
    time = Time()
    store = MemorySecretStore(unix_seconds=time, token=tokens())
    value, secret = await store.mint(lifetime_s=600, session=b"{}")
    assert value == "ek_token0"
    assert secret.expires_at == 1_600
    time.now = 1_599.9
    assert await store.find(value) == await store.find(value) == secret
    time.now = 1_600
    assert await store.find(value) is None
    assert await store.find("ek_other") is None


async def test_a_full_store_forgets_expired_secrets_and_refuses_when_none_is() -> None:
    time = Time()
    store = MemorySecretStore(unix_seconds=time, token=tokens(), capacity=2)
    for _ in range(2):
        await store.mint(lifetime_s=10, session=None)
    with pytest.raises(TooManySecrets):
        await store.mint(lifetime_s=10, session=None)
    time.now += 10
    value, _ = await store.mint(lifetime_s=10, session=None)
    assert await store.find(value) is not None


async def test_the_store_holds_no_secret_in_clear() -> None:
    store = MemorySecretStore(unix_seconds=Time(), token=lambda: "visible")
    await store.mint(lifetime_s=10, session=None)
    assert "visible" not in repr(vars(store))
    assert "visible" not in repr(vars(ApiKeys(["visible"])))


KEYED, OPEN = ApiKeys(["key-one", "key-two"]), ApiKeys([])
IDENTITIES = [
    # keys, bearer, recognised, may mint
    (KEYED, "key-one", True, True),
    (KEYED, "key-two", True, True),
    (KEYED, "key-on", False, False),
    (KEYED, "", False, False),
    (KEYED, None, False, False),
    (KEYED, "ek_valid", True, False),
    (KEYED, "ek_expired", False, False),
    (KEYED, "ek_unknown", False, False),
    (OPEN, None, True, True),
    (OPEN, "anything", True, True),
    (OPEN, "ek_valid", True, True),
    (OPEN, "ek_expired", False, False),
    (OPEN, "ek_unknown", False, False),
]


@pytest.mark.parametrize(("keys", "bearer", "recognised", "mints"), IDENTITIES)
async def test_who_is_recognised_and_may_mint(keys: ApiKeys, bearer: str | None, recognised: bool, mints: bool) -> None:
    time, names = Time(), iter(["expired", "valid"])
    store = MemorySecretStore(unix_seconds=time, token=lambda: next(names))
    await store.mint(lifetime_s=10, session=None)
    time.now += 10
    await store.mint(lifetime_s=10, session=b"{}")
    who = await identify(bearer, keys, store)
    if not recognised:
        assert isinstance(who, Refusal)
        assert (who.status, who.code) == (401, "invalid_api_key")
        return
    assert isinstance(who, Principal)
    assert who.may(Permission.START_SESSION)
    assert [who.may(one) for one in (Permission.MINT_SECRET, Permission.USE_ENGINES, Permission.OPERATE)] == [mints] * 3
    assert (who.secret is not None) == (bearer == "ek_valid")


SITES = [
    # listed origins, host, origin, refusal's code
    ((), "127.0.0.1:8080", None, None),
    ((), "localhost:8080", "http://localhost:5173", None),
    ((), "[::1]:8080", "http://[::1]:8080", None),
    ((), "parley.localhost", "http://parley.localhost", None),
    ((), "127.9.9.9", "http://127.0.0.1", None),
    ((), None, None, None),
    ((), "evil.example", None, "host_not_allowed"),
    ((), "localhost.evil.example", None, "host_not_allowed"),
    ((), "127.0.0.1.evil.example:8080", None, "host_not_allowed"),
    ((), "192.168.1.5:8080", None, "host_not_allowed"),
    ((), "localhost", "http://evil.example", "origin_not_allowed"),
    ((), "localhost", "http://localhost.evil.example", "origin_not_allowed"),
    ((), "localhost", "http://localhost@evil.example", "origin_not_allowed"),
    ((), "localhost", "null", "origin_not_allowed"),
    ((), "localhost", "", "origin_not_allowed"),
    ((), "localhost", "file://", "origin_not_allowed"),
    (("null",), "localhost", "null", None),
    (("null",), "localhost", "http://evil.example", "origin_not_allowed"),
    (("https://app.example",), "localhost", "https://app.example", None),
    (("https://app.example",), "app.example", "https://app.example", None),
    (("https://app.example",), "localhost", "http://app.example", "origin_not_allowed"),
    (("https://app.example",), "localhost", "https://app.example:8443", "origin_not_allowed"),
    (("*",), "localhost", "http://anything.example", None),
    (("*",), "evil.example", None, "host_not_allowed"),
]


@pytest.mark.parametrize(("origins", "host", "origin", "code"), SITES)
def test_hosts_and_origins_without_keys(
    origins: tuple[str, ...], host: str | None, origin: str | None, code: str | None
) -> None:
    refusal = SitePolicy(cors_origins=origins).refuse(host, origin)
    assert (refusal.code if refusal else None) == code
    if refusal:
        assert "--cors-origin" in refusal.message
    assert SitePolicy(open_to_all=True).refuse(host, origin) is None


def test_the_refusal_of_file_pages_names_the_flag() -> None:
    refusal = SitePolicy().refuse("localhost", "null")
    assert refusal is not None
    assert "--cors-origin null" in refusal.message


def test_page_sessions_expire_end_and_are_bounded() -> None:
    time = Time()
    sessions = PageSessions(unix_seconds=time, token=tokens(), capacity=2)
    first, second = sessions.start(), sessions.start()
    assert sessions.valid(first)
    assert not sessions.valid(None)
    assert not sessions.valid("forged")
    third = sessions.start()
    assert [sessions.valid(one) for one in (first, second, third)] == [False, True, True]
    sessions.end(second)
    assert not sessions.valid(second)
    time.now += LIFETIME_S
    assert not sessions.valid(third)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    header = cookie_header("abc", secure=True)
    assert "HttpOnly" in header
    assert "SameSite=Strict" in header
    assert "Secure" in header
    assert "Path=/ui" in header
    assert read_cookie("other=1; " + header.partition(";")[0]) == "abc"
    assert read_cookie("other=1") is None
    assert read_cookie("\x00=;;=") is None
    assert "Max-Age=0" in cookie_header("", secure=False)


def test_failed_sign_ins_are_slowed() -> None:
    time = Time()
    limit = SignInLimit(monotonic_seconds=time, attempts=2, window_s=60)
    limit.failed()
    assert limit.wait_s() == 0
    time.now += 20
    limit.failed()
    assert limit.wait_s() == 40
    time.now += 40
    assert limit.wait_s() == 0
