"""Media through a range of UDP ports only, so that a firewall can let exactly those pass.

ICE binds its sockets through the event loop's own `create_datagram_endpoint` and leaves the port to
the system. Inside `bound_to` the loop chooses it instead. A socket that is told where it connects
to, as one to a TURN server is, keeps a port of the system's choice: nobody calls it.
"""

import asyncio
import errno
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.api import AvatarError


class NoUdpPortError(AvatarError):
    """No candidate could be gathered: every port of the range is taken."""


@contextmanager
def bound_to(ports: range | None) -> Iterator[None]:
    """Let unbound datagram sockets of the running loop have ports of `ports`; None for any."""
    if ports is None:
        yield
        return
    loop: Any = asyncio.get_running_loop()
    create = loop.create_datagram_endpoint

    async def create_inside(factory: Any, local_addr: Any = None, **others: Any) -> Any:
        if local_addr is None or local_addr[1] != 0:
            return await create(factory, local_addr=local_addr, **others)
        for port in random.sample(ports, len(ports)):
            try:
                return await create(factory, local_addr=(local_addr[0], port), **others)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"UDP ports {ports[0]}-{ports[-1]} are all in use")

    loop.create_datagram_endpoint = create_inside
    try:
        yield
    finally:
        loop.create_datagram_endpoint = create
