"""The asynchronous cache on real servers: what it shares with the other one, and what its tasks need."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from local_account.servers import redis_debian, valkey
from optimizer_cache import (
    AsyncCache,
    Bounds,
    Cache,
    Namespace,
    OtherKindOfClient,
    UnknownNamespace,
    connect,
    connect_async,
)

BOUNDS = Bounds(60, 1, 300)


@pytest.fixture(scope="module", params=[valkey.VALKEY_9, redis_debian.REDIS_7], ids=["valkey", "redis"])
def url(request, server):
    return server(request.param).url


def in_a_loop(coroutine):
    """Run in a thread of its own: after tests of pages, this one has a loop that never ends."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def play(url, scene, **options):
    """Run `scene(cache)` in a loop of its own, on a cache with a prefix of its own."""

    async def run():
        client = connect_async(url, 4.0)
        space = Namespace(**{"bounds": BOUNDS, "beta": 0.0, **options})
        try:
            return await scene(AsyncCache(client, {"price": space}, prefix=f"a{time.time_ns()}", pause_s=0.3))
        finally:
            await client.aclose()

    return in_a_loop(run())


class Origin:
    """Counts how often it is asked; raises an error that it is given."""

    def __init__(self, value="v", takes_s=0.02):
        self.value, self.takes_s, self.loads = value, takes_s, 0

    async def __call__(self):
        self.loads += 1
        await asyncio.sleep(self.takes_s)
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def test_value_is_loaded_once_written_and_forgotten(url):
    async def scene(used):
        origin, stored = Origin(["v"]), []

        async def store(value):
            stored.append(value)

        assert [await used.read("price", "a", origin) for _ in range(3)] == [["v"]] * 3
        await used.write("price", "a", "new", store)
        assert await used.read("price", "a", origin) == "new"
        assert await used.forget("price", "a")
        assert await used.read("price", "a", origin) == ["v"]
        assert await used.forget_all("price")
        assert await used.read("price", "a", origin) == ["v"]
        record = json.loads(used.flush(0)[0])
        return origin.loads, stored, record["Hits"], record["Misses"]

    assert play(url, scene) == (3, ["new"], 3, 3)


@pytest.mark.parametrize("address", ["up", "down"])
def test_one_task_loads_a_cold_key_and_each_gets_its_own_copy(url, address):
    async def scene(used):
        origin = Origin(["v"], takes_s=0.5)
        found = await asyncio.gather(*(used.read("price", "cold", origin) for _ in range(30)))
        return origin.loads, found, len({id(value) for value in found})

    assert play(url if address == "up" else "redis://127.0.0.1:1", scene) == (1, [["v"]] * 30, 30)


def test_cancelled_load_leaves_the_others_to_load(url):
    async def scene(used):
        slow = Origin("v")
        first = asyncio.create_task(used.read("price", "a", slow))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(used.read("price", "a", slow))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert play(url, scene) == "v"


def test_failed_load_returns_the_live_entry_and_else_its_error(url):
    async def scene(used):
        down = Origin(RuntimeError("origin down"))
        await used.read("price", "a", Origin("v"))
        assert await used.read("price", "a", down) == "v"
        with pytest.raises(RuntimeError, match="origin down"):
            await used.read("price", "b", down)
        return down.loads

    assert play(url, scene, beta=1e9) == 2


def test_expired_entry_is_returned_when_the_load_fails(url):
    async def scene(used):
        await used.read("price", "a", Origin("old"))
        await asyncio.sleep(0.25)
        assert await used.read("price", "a", Origin(RuntimeError("origin down"))) == "old"
        return await used.read("price", "a", Origin("new"))

    assert play(url, scene, bounds=Bounds(0.2, 0.1, 1), jitter=0.0, stale_if_error_s=5.0) == "new"


def test_decorated_coroutine_is_read_through_the_cache(url):
    async def scene(used):
        calls = []

        @used.cached("price")
        async def price_of(sku):
            calls.append(sku)
            return f"price of {sku}"

        found = [await price_of("a"), await price_of("a"), await price_of("b")]
        assert await price_of.forget("a")
        await price_of("a")
        return found, calls

    assert play(url, scene) == (["price of a", "price of a", "price of b"], ["a", "b", "a"])


def test_both_caches_read_what_the_other_stored(url):
    prefix = f"both{time.time_ns()}"
    plain = Cache(connect(url, 4.0), {"price": Namespace(BOUNDS)}, prefix=prefix)
    plain.read("price", "a", lambda: "of the plain one")

    async def run():
        client = connect_async(url, 4.0)
        used = AsyncCache(client, {"price": Namespace(BOUNDS)}, prefix=prefix)
        found = await used.read("price", "a", Origin())
        await used.read("price", "b", Origin("of the other"))
        await client.aclose()
        return found

    assert in_a_loop(run()) == "of the plain one"
    assert plain.read("price", "b", lambda: "own") == "of the other"


def test_mistakes_are_told_at_the_door():
    with pytest.raises(OtherKindOfClient, match="connect_async"):
        AsyncCache(connect("redis://127.0.0.1:1"), {})

    async def scene(used):
        with pytest.raises(UnknownNamespace, match="declared are: price"):
            await used.read("shop", "a", Origin())
        return True

    assert play("redis://127.0.0.1:1", scene)
