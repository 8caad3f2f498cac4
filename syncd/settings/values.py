"""The types of single settings: durations, URLs, limits, paths, secrets.

Each parser takes what TOML holds and raises a `PydanticCustomError` whose context has `message` and `value`, the
TOML value to write instead ("" when none can be offered). No message repeats what stood in the file.
"""

from __future__ import annotations

import errno
import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, TypeGuard
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, ValidationInfo
from pydantic_core import PydanticCustomError

from syncd.core.limits import ALL, GROWTH, Limit
from syncd.errors import ConfigurationError
from syncd.model import Scalar
from syncd.settings.secrets import Form, SecretRef
from syncd.settings.suggest import nearest

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_PATH_OF_URL = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HALF_OF_64_BITS = 2**63
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a settings file lies and which environment its references are read from. `named`: it says its `name`."""

    file: Path
    environ: Mapping[str, str]
    named: bool = False

    @property
    def directory(self) -> Path:
        return self.file.parent


def origin_of(info: ValidationInfo) -> Origin:
    """The origin that load.py passes to every validation."""
    if not isinstance(info.context, Origin):
        raise TypeError("settings are validated with an Origin as context")
    return info.context


def wrong(message: str, value: str = "") -> PydanticCustomError:
    """A finding for pydantic; `value` is what was written, where it may be shown."""
    return PydanticCustomError("syncd", "{message}", {"message": message, "value": value})


def kind_of(raw: object) -> str:
    """What TOML calls the type of a parsed value."""
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(raw), "a date or time")


def text(raw: object) -> str:
    """Text without control characters and not blank."""
    if not isinstance(raw, str):
        raise wrong(f"is {kind_of(raw)}, but text in quotes is needed")
    if not raw.strip():
        raise wrong("is empty")
    if _CONTROL.search(raw):
        raise wrong("contains a line break, a NUL or another control character")
    return raw


def is_one_value(raw: object) -> TypeGuard[Scalar]:
    """A text with something in it, a finite number (whole ones of 64 bits), true or false: what SCIM can send."""
    if isinstance(raw, str):
        return bool(raw.strip()) and not _CONTROL.search(raw)
    if isinstance(raw, int):
        return -_HALF_OF_64_BITS <= raw < _HALF_OF_64_BITS
    return isinstance(raw, float) and math.isfinite(raw)


def read_duration(raw: object) -> timedelta:
    """Read "30s", "5m", "6h" or "7d"."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        raise wrong("is a bare number; a duration is text with a unit: 30s, 5m, 6h or 7d", f'"{raw}s"')
    found = _DURATION.fullmatch(raw) if isinstance(raw, str) else None
    if found is None:
        raise wrong("is not a duration: a whole number and one unit, like 30s, 5m, 6h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _bounded(raw: object, *, least: str, most: str) -> timedelta:
    duration = read_duration(raw)
    if duration < read_duration(least):
        raise wrong(f"is too short: at least {least}", f'"{least}"')
    if duration > read_duration(most):
        raise wrong(f"is too long: at most {most}", f'"{most}"')
    return duration


def within(least: str, most: str) -> Callable[[object], timedelta]:
    """Reads a duration between these two."""
    return partial(_bounded, least=least, most=most)


_BELOW_NOTHING = re.compile(r"-[0-9]+(?:\.[0-9]+)? ?%?")
_SOME_PERCENT = re.compile(r"[0-9]+(?:\.[0-9]+)? ?%")


def _limit(raw: object, *, most: float) -> Limit:
    """`most` is the highest percent that means something."""
    if isinstance(raw, str) and raw.strip().isdigit():
        raise wrong("is a number in quotes; a number stands bare, a percent has its sign", raw.strip())
    if not isinstance(raw, str | int):
        raise wrong('is neither a number of objects nor a percent like "10%"')
    if _BELOW_NOTHING.fullmatch(str(raw).strip()):
        raise wrong("is negative; 0 already holds every one for a decision", "0")
    if isinstance(raw, str) and _SOME_PERCENT.fullmatch(raw.strip()) and float(raw.strip(" %")) > most:
        more = "more than there are" if most == ALL else "beyond all measure"
        raise wrong(f"is {more}: it lies between 0% and {most:g}%", f'"{most:g}%"')
    try:
        return Limit.parse(raw, most=most)
    except ValueError as error:
        raise wrong(f"is not a limit: {error}") from None


def is_loopback(host: str) -> bool:
    """A loopback address, or the name localhost; no other name is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split_url(raw: object, example: str) -> tuple[SplitResult, str, int | None]:
    """The parts of an http(s) URL, its lower-case host and its port. Raises for everything else."""
    url = text(raw)
    if url != url.strip() or " " in url:
        raise wrong("contains a space")
    if "://" not in url:
        # Offered only for what is surely a host: a token pasted here by mistake must not be repeated.
        bare = len(url) <= 80 and re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,24}(?:/[a-z0-9/]{0,20})?", url)
        raise wrong("has no scheme: a URL starts with https://", f'"https://{url}"' if bare else example)
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise wrong("is not a URL: its host or port cannot be read", example) from None
    if "@" in parts.netloc:
        raise wrong("contains a user name or password; a token has its own setting", example)
    if "?" in url or "#" in url:
        raise wrong(
            "contains a query or fragment (? or #); only the address belongs here", _own(parts, example)
        )
    if not (_HOST.fullmatch(host) or _is_address(host)):
        raise wrong("has no usable host name (an international name is written in its xn-- form)", example)
    if parts.scheme not in ("https", "http"):
        raise wrong("must start with https://", _own(parts, example))
    if parts.scheme == "http" and not is_loopback(host):
        raise wrong(
            "is plain http to another machine, which would show the token to the network; http is only for loopback",
            f'"{_rebuilt("https", host, None, parts.path)}"',
        )
    return parts, host, None if port == {"https": 443, "http": 80}[parts.scheme] else port


def _own(parts: SplitResult, example: str) -> str:
    """The person's own address as it should be, where its parts are harmless to repeat; else the example."""
    host, path = (parts.hostname or "").lower(), parts.path.rstrip("/")
    usable = len(host) <= 80 and _HOST.fullmatch(host) and re.fullmatch(r"(?:/[a-z0-9.]{1,12}){0,4}", path)
    return f'"{_rebuilt("https", host, None, path)}"' if usable else example


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _rebuilt(scheme: str, host: str, port: int | None, path: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}{'' if port is None else f':{port}'}{path.rstrip('/')}"


def _org_url(raw: object) -> str:
    parts, host, port = _split_url(raw, '"https://example.okta.com"')
    first, _, rest = host.partition(".")
    if first.endswith("-admin") and "okta" in rest:
        plain = _rebuilt(parts.scheme, f"{first.removesuffix('-admin')}.{rest}", port, "")
        raise wrong("is the address of Okta's admin console, not of the org", f'"{plain}"')
    if parts.path.strip("/"):
        raise wrong(
            "has a path; the org URL ends after the host", f'"{_rebuilt(parts.scheme, host, port, "")}"'
        )
    return _rebuilt(parts.scheme, host, port, "")


def _base_url(raw: object) -> str:
    parts, host, port = _split_url(raw, '"https://split.example/scim/v2"')
    path = parts.path.rstrip("/")
    if not _PATH_OF_URL.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise wrong("has a path with characters or dots that no URL path has")
    for leaf in ("/Users", "/Groups", "/ServiceProviderConfig"):
        if path.lower().endswith(leaf.lower()):
            whole = _rebuilt(parts.scheme, host, port, path[: -len(leaf)])
            raise wrong(f"names one resource; the base URL ends before {leaf}", f'"{whole}"')
    return _rebuilt(parts.scheme, host, port, path)


def address_of(listen: str) -> tuple[str, int] | None:
    """Host (without brackets) and port of HOST:PORT, None of ""."""
    host, _, port = listen.rpartition(":")
    return (host.strip("[]"), int(port)) if listen else None


def _header_name(raw: object) -> str:
    """The name of a header that a client may choose (RFC 9110 section 5.1), and that no proxy sets by itself."""
    value = text(raw)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", value):
        raise wrong("is not the name of an HTTP header", '"Authorization"')
    if value.lower() in _HEADERS_OF_HTTP:
        raise wrong("is a header that HTTP itself uses", '"Authorization"')
    return value


_HEADERS_OF_HTTP = frozenset({
    "accept", "connection", "content-encoding", "content-length", "content-type", "expect", "host", "te",
    "transfer-encoding", "upgrade", "user-agent", "x-okta-verification-challenge",
})  # fmt: skip


def _listen(raw: object, *, example: str = "127.0.0.1:9464") -> str:
    """Read HOST:PORT to listen on, "" for off. Port 0 lets the system choose."""
    if raw == "":
        return ""
    value = text(raw)
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    usable = bare == "localhost" or _is_address(bare)
    if (
        not usable
        or (":" in bare) != (bare != host)
        or not re.fullmatch(r"[0-9]{1,5}", port)
        or int(port) > 65535
    ):
        raise wrong('is not ADDRESS:PORT of this machine, and not "" for off', f'"{example}"')
    return value


def _path(raw: object, info: ValidationInfo) -> Path:
    value = text(raw)
    if value.startswith("~"):
        raise wrong("starts with ~, which only a shell expands; write the whole path")
    return Path(os.path.normpath(origin_of(info).directory / value))


def _directory(raw: object, info: ValidationInfo) -> Path:
    """It need not be there yet; a loop leads nowhere for anybody."""
    path = _path(raw, info)
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise wrong("leads through a loop of symbolic links; name a directory") from None
    return path


def _ca_file(raw: object, info: ValidationInfo) -> Path:
    from syncd.settings.authorities import authorities  # noqa: PLC0415  (OpenSSL, and most settings name none)

    path = _path(raw, info)
    try:
        authorities(path)
    except OSError as error:
        raise wrong(
            f"names a file that cannot be used ({error.strerror}); check the path and its rights"
        ) from None
    return path


def _secret(raw: object, info: ValidationInfo, *, form: Form) -> SecretRef:
    origin = origin_of(info)
    if isinstance(raw, str):
        try:
            return SecretRef.literal(raw, form=form)
        except ConfigurationError as error:
            raise wrong(f"cannot be used: {error.message}. {error.hint}") from None
    if not isinstance(raw, dict):
        raise wrong(f"is {kind_of(raw)}, but a reference to a secret is needed", '{ env = "NAME" }')
    for key in raw:
        if key not in ("env", "file", "credential"):
            known = nearest(key, ("env", "file", "credential"))
            raise wrong(
                "is a reference of an unknown kind; there are env, file and credential",
                f'{{ {known or "env"} = "NAME" }}',
            )
    if len(raw) != 1:
        raise wrong("must name exactly one place: env, file or credential", '{ env = "NAME" }')
    [(kind, place)] = raw.items()
    if not isinstance(place, str) or not place.strip() or _CONTROL.search(place):
        raise wrong(f"must name the {kind} as text in quotes, not empty, without control characters")
    if kind == "env":
        if not _ENV_NAME.fullmatch(place):
            # Not repeated: people paste the secret itself here.
            raise wrong(
                "is not the name of an environment variable (letters, digits and _)", '{ env = "NAME" }'
            )
        return SecretRef("env", place, form, _environ=origin.environ)
    if kind == "credential":
        if "/" in place or place in (".", ".."):
            raise wrong(
                "is not the name of a credential: it has no directory part", '{ credential = "NAME" }'
            )
        return SecretRef("credential", place, form, _environ=origin.environ)
    return SecretRef("file", str(_path(place, info)), form, _environ=origin.environ)


def _proxy(raw: object, info: ValidationInfo) -> SecretRef:
    if isinstance(raw, str):
        parts = urlsplit(raw) if re.fullmatch(r"https?://[^\s/]+/?", raw) else None
        if parts is None or not parts.hostname:
            raise wrong("is not the URL of an HTTP proxy", '"http://proxy.example:3128"')
    return _secret(raw, info, form="url")


_Hidden = PlainSerializer(str)

Text = Annotated[str, BeforeValidator(text)]
Timeout = Annotated[timedelta, BeforeValidator(partial(_bounded, least="1s", most="10m"))]
Grace = Annotated[timedelta, BeforeValidator(partial(_bounded, least="0s", most="30d"))]
read_interval = partial(_bounded, least="1s", most="31d")
Interval = Annotated[timedelta, BeforeValidator(read_interval)]
Retention = Annotated[timedelta, BeforeValidator(partial(_bounded, least="1d", most="36500d"))]
LimitValue = Annotated[InstanceOf[Limit], BeforeValidator(partial(_limit, most=ALL)), PlainSerializer(str)]
GrowthLimitValue = Annotated[
    InstanceOf[Limit], BeforeValidator(partial(_limit, most=GROWTH)), PlainSerializer(str)
]
OrgUrl = Annotated[str, BeforeValidator(_org_url)]
BaseUrl = Annotated[str, BeforeValidator(_base_url)]
Listen = Annotated[str, BeforeValidator(partial(_listen, example="127.0.0.1:9464"))]
HookListen = Annotated[str, BeforeValidator(partial(_listen, example="127.0.0.1:9465"))]
HeaderName = Annotated[str, BeforeValidator(_header_name)]
DirectoryPath = Annotated[Path, BeforeValidator(_directory)]
CaFile = Annotated[Path, BeforeValidator(_ca_file)]
Token = Annotated[InstanceOf[SecretRef], BeforeValidator(partial(_secret, form="token")), _Hidden]
PrivateKey = Annotated[InstanceOf[SecretRef], BeforeValidator(partial(_secret, form="key")), _Hidden]
SecretUrl = Annotated[InstanceOf[SecretRef], BeforeValidator(partial(_secret, form="url")), _Hidden]
Proxy = Annotated[InstanceOf[SecretRef], BeforeValidator(_proxy), _Hidden]
