import asyncio
import threading

from streamer.handoff import DropOldest
from streamer.logs import SESSION_ID


async def test_when_full_the_oldest_goes_and_is_counted() -> None:
    received: list[int] = []
    bridge: DropOldest[int] = DropOldest(2, received.append)
    for number in range(5):
        bridge.put_from_thread(number)
    await asyncio.sleep(0)
    assert (received, bridge.dropped) == ([3, 4], 3)


async def test_items_come_in_order_from_another_thread() -> None:
    received: list[int] = []
    bridge: DropOldest[int] = DropOldest(100, received.append)

    def put_all() -> None:
        for number in range(100):
            bridge.put_from_thread(number)

    thread = threading.Thread(target=put_all)
    thread.start()
    thread.join()
    await asyncio.sleep(0)
    assert received == list(range(100))


async def test_after_close_nothing_arrives() -> None:
    received: list[int] = []
    bridge: DropOldest[int] = DropOldest(2, received.append)
    bridge.put_from_thread(1)
    bridge.close()
    bridge.put_from_thread(2)
    await asyncio.sleep(0)
    assert received == []


async def test_what_is_handed_over_knows_its_session() -> None:
    SESSION_ID.set("s1")
    named: list[str] = []
    handoff: DropOldest[int] = DropOldest(1, lambda _: named.append(SESSION_ID.get()))
    thread = threading.Thread(target=handoff.put_from_thread, args=(1,))
    thread.start()
    thread.join()
    await asyncio.sleep(0)
    assert named == ["s1"]
