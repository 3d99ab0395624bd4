"""How routes reach the service that they serve."""

from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from streamer.service import Service


def _service(connection: HTTPConnection) -> Service:
    return cast(Service, connection.app.state.service)


Serving = Annotated[Service, Depends(_service)]
