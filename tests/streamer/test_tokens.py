import json
from hashlib import sha256
from pathlib import Path

import pytest

from streamer.tokens import Role, Tokens, main, read_tokens

TOKEN = "a-token-of-many-characters"


def hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def test_a_made_token_is_let_in(tmp_path: Path) -> None:
    made = main(["speak", "studio"])
    path = tmp_path / "tokens.toml"
    path.write_text(made)
    token = made.splitlines()[0].rpartition(" ")[2]
    tokens = read_tokens(path, {})
    assert tokens.role_of(token) is Role.SPEAK
    assert tokens.role_of(token[:-1]) is None
    assert tokens.role_of("") is None
    assert token not in repr(tokens)


def test_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    entry = {"name": "x", "role": "admin", "sha256": hashed(TOKEN).upper()}
    path.write_text(json.dumps({"token": [entry]}))
    assert read_tokens(path, {}).role_of(TOKEN) is Role.ADMIN


def test_the_environment_has_tokens() -> None:
    tokens = read_tokens(None, {"VEXPRESS_TOKEN_WATCH": TOKEN, "VEXPRESS_TOKEN_SPEAK": ""})
    assert tokens.role_of(TOKEN) is Role.WATCH
    assert not read_tokens(None, {}).roles
    with pytest.raises(ValueError, match="VEXPRESS_TOKEN_ADMIN: expected 16"):
        read_tokens(None, {"VEXPRESS_TOKEN_ADMIN": "short"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token = []",
        "token = 3",
        "token = ['x']",
        "[[token]]\nrole = 'speak'",
        "[[token]]\nrole = 'king'\nsha256 = '" + hashed(TOKEN) + "'",
        "[[token]]\nrole = 'speak'\nsha256 = 'abc'",
        "[[token]]\nrole = 'speak'\nsha256 = 'abcd'",
        "no toml",
    ],
)
def test_files_that_are_wrong(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match="expected a list"):
        read_tokens(path, {})


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_tokens(tmp_path / "none.toml", {})


@pytest.mark.parametrize("arguments", [[], ["speak"], ["king", "x"], ["speak", "x", "y"]])
def test_wrong_words_on_the_command_line(arguments: list[str]) -> None:
    with pytest.raises(ValueError, match="expected a role"):
        main(arguments)


def test_nobody_has_a_role_where_there_are_no_tokens() -> None:
    assert Tokens().role_of(TOKEN) is None
