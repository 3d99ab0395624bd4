import base64
import hmac
from hashlib import sha1
from pathlib import Path

import pytest
from aiortc import RTCPeerConnection
from aiortc.rtcconfiguration import RTCIceTransportPolicy

from streamer.ice import CREDENTIALS_LAST_S, IceServer, IceSettings, port_range, read_secret

TURN = "turn:relay.example:3478?transport=udp"
STUN = "stun:stun.example:3478"


def test_credentials_are_what_coturn_computes() -> None:
    settings = IceSettings(stun=(STUN,), turn=(TURN,), turn_secret="north")
    stun, turn = settings.servers("ada", now_s=1_000_000.9)
    assert stun.describe() == {"urls": STUN}
    expires = 1_000_000 + CREDENTIALS_LAST_S
    mac = hmac.digest(b"north", f"{expires}:ada".encode(), sha1)
    assert turn == IceServer(TURN, f"{expires}:ada", base64.b64encode(mac).decode())


def test_links_are_those_of_the_standard() -> None:
    assert IceServer(STUN).link() == f'<{STUN}>; rel="ice-server"'
    assert IceServer(TURN, "7:ada", "pass").link() == (
        f'<{TURN}>; rel="ice-server"; username="7:ada"; credential="pass"; '
        'credential-type="password"'
    )


def test_secrets_are_not_shown_by_accident() -> None:
    settings = IceSettings(turn=(TURN,), turn_secret="north")
    server = settings.servers("ada", 0.0)[0]
    assert "north" not in repr(settings)
    assert server.credential not in repr(server)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"stun": ("stunning",)}, "stunning"),
        ({"stun": ('stun:a>; rel="x"',)}, "STUN"),
        ({"turn": ("turn:a b",), "turn_secret": "x"}, "TURN"),
        ({"turn": (TURN,)}, "--turn-secret-file"),
        ({"relay_only": True}, "--relay-only"),
    ],
)
def test_settings_that_do_not_fit(fields: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        IceSettings(**fields)  # type: ignore[arg-type]


def test_a_port_range() -> None:
    assert port_range("50000-50001") == range(50_000, 50_002)
    for bad in ("", "50000", "50001-50000", "80-90", "1-99999", "a-b", "50000-50001-50002"):
        with pytest.raises(ValueError, match="expected first-last"):
            port_range(bad)


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("north\n")
    assert read_secret(path) == "north"
    assert read_secret(None) == ""
    path.write_text("\n")
    with pytest.raises(ValueError, match="empty"):
        read_secret(path)
    with pytest.raises(ValueError, match="cannot be read"):
        read_secret(tmp_path / "missing")


async def test_our_own_end_gets_the_same_servers() -> None:
    settings = IceSettings(stun=(STUN,), turn=(TURN,), turn_secret="north", relay_only=True)
    configuration = settings.configuration("ada", 0.0)
    assert configuration.iceTransportPolicy is RTCIceTransportPolicy.RELAY
    connection = RTCPeerConnection(configuration)
    connection.addTransceiver("audio")
    (transceiver,) = connection.getTransceivers()
    ice = transceiver.receiver.transport.transport._connection
    assert ice.turn_server == ("relay.example", 3478)
    assert ice.stun_server == ("stun.example", 3478)
    assert ice.turn_password == settings.servers("ada", 0.0)[1].credential
    await connection.close()


def test_without_servers_nobody_is_asked() -> None:
    assert IceSettings().configuration("ada", 0.0).iceServers == []
