"""Who may do what: bearer tokens, each with one role, known here by their hash only.

`python -m streamer.tokens speak NAME` makes a token and the lines that `--tokens-file` needs.
"""

import hmac
import json
import secrets
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

VARIABLE_PREFIX = "VEXPRESS_TOKEN_"
MIN_CHARACTERS = 16
_HASH_CHARACTERS = 64
_TOKEN_BYTES = 24


class Role(IntEnum):
    """Each may do what the ones before it may."""

    WATCH = 1
    SPEAK = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Tokens:
    """All tokens; none at all means that everybody may do everything."""

    roles: Mapping[str, Role] = field(default_factory=dict, repr=False)  # by SHA-256, in hex

    def role_of(self, token: str) -> Role | None:
        """The role of a token, None for a stranger; takes as long for each of them."""
        given, found = _hash(token), None
        for known, role in self.roles.items():
            if hmac.compare_digest(known, given):
                found = role
        return found


def read_tokens(path: Path | None, environment: Mapping[str, str]) -> Tokens:
    """From a TOML or JSON file, and from VEXPRESS_TOKEN_SPEAK and so on. Raises `ValueError`."""
    roles = _from_file(path) if path else {}
    for role in Role:
        variable = VARIABLE_PREFIX + role.name
        token = environment.get(variable, "")
        if token and len(token) < MIN_CHARACTERS:
            raise ValueError(f"{variable}: expected {MIN_CHARACTERS} characters or more")
        if token:
            roles[_hash(token)] = role
    return Tokens(roles)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _from_file(path: Path) -> dict[str, Role]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        entries = content["token"]
        if not isinstance(entries, list) or not entries:
            raise ValueError("no tokens")
        return dict(_entry(entry) for entry in entries)
    except OSError as error:
        raise ValueError(f"--tokens-file {path}: cannot be read ({error.strerror})") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        expected = 'expected a list "token" of entries with name, role and sha256'
        raise ValueError(f"--tokens-file {path}: {expected}") from error


def _entry(entry: dict[str, Any]) -> tuple[str, Role]:
    digest = str(entry["sha256"]).lower()
    bytes.fromhex(digest)
    if len(digest) != _HASH_CHARACTERS:
        raise ValueError("not a SHA-256")
    return digest, Role[str(entry["role"]).upper()]


def main(arguments: list[str]) -> str:
    """A new token and its entry. Raises `ValueError`."""
    roles = {role.name.lower() for role in Role}
    if len(arguments) != 2 or arguments[0] not in roles:  # noqa: PLR2004  role and name
        raise ValueError(f"expected a role, one of {', '.join(sorted(roles))}, and a name")
    role, name = arguments
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    entry = f'[[token]]\nname = {json.dumps(name)}\nrole = "{role}"\nsha256 = "{_hash(token)}"\n'
    return f"# The token, shown this once: {token}\n{entry}"


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]))
    except ValueError as wrong:
        sys.exit(f"streamer.tokens: {wrong}")
