"""Whose certificates Split may show, by real handshakes on loopback."""

from __future__ import annotations

import http.server
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from syncd.errors import ConfigurationError, PermanentError
from syncd.scim.http import ScimHttp
from tests.certificates import self_signed
from tests.serving import Serving

MakeHttp = Callable[..., ScimHttp]


class _Answering(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/scim+json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(
    handler: type[http.server.BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Host and port of a server, which shows this certificate."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with Serving(server) as serving:
        yield f"127.0.0.1:{serving.port}"


@contextmanager
def showing(tls: ssl.SSLContext) -> Iterator[str]:
    """The base URL of a target that shows this certificate."""
    with served(_Answering, tls) as place:
        yield f"https://{place}/scim"


def test_a_private_authority_is_trusted_where_ca_file_names_it_and_nobody_else_is(
    tmp_path: Path, make_http: MakeHttp
) -> None:
    ca_file, tls = self_signed(tmp_path)
    with showing(tls) as url:
        with pytest.raises(PermanentError, match="not trusted"):
            make_http(url).send("GET", ["Users"])
        http = make_http(url, ca_file=ca_file)
        assert http.send("GET", ["Users"]).status == 200

        # What the connection believes, in full: requests' own bundle is not added.
        pools = http._adapter.poolmanager.pools
        pool = pools[next(iter(pools.keys()))]
        connection = pool.pool.get()
        assert len(connection.sock.context.get_ca_certs()) == 1
        pool.pool.put(connection)


class _Tunnel(http.server.BaseHTTPRequestHandler):
    """A proxy that only knows CONNECT."""

    def do_CONNECT(self) -> None:
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_carry, args=(there, self.connection), daemon=True)
            back.start()
            _carry(self.connection, there)
            back.join()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def test_a_private_authority_counts_through_a_proxy_and_under_a_writers_permit_too(
    tmp_path: Path, make_http: MakeHttp
) -> None:
    ca_file, tls = self_signed(tmp_path)
    asked: list[None] = []
    with showing(tls) as url, served(_Tunnel) as tunnel:
        proxy = f"http://{tunnel}"
        for permit in (None, lambda: asked.append(None)):
            http = make_http(url, ca_file=ca_file, proxy=proxy, permit=permit)
            assert http.send("GET", ["Users"]).status == 200
            http.close()
        untrusting = make_http(url, proxy=proxy)
        with pytest.raises(PermanentError, match="not trusted"):
            untrusting.send("GET", ["Users"])
    assert asked


def test_another_private_authority_is_not_trusted(tmp_path: Path, make_http: MakeHttp) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    _, tls = self_signed(tmp_path / "one")
    other, _ = self_signed(tmp_path / "other")
    with showing(tls) as url, pytest.raises(PermanentError, match="not trusted"):
        make_http(url, ca_file=other).send("GET", ["Users"])


def test_an_authority_whose_bundle_has_comments_in_any_encoding_is_read(
    tmp_path: Path, make_http: MakeHttp
) -> None:
    ca_file, tls = self_signed(tmp_path)
    ca_file.write_bytes("# Főtanúsítvány\n".encode() + b"\xff\xfe\n" + ca_file.read_bytes())
    with showing(tls) as url:
        assert make_http(url, ca_file=ca_file).send("GET", ["Users"]).status == 200


def test_a_ca_file_that_is_gone_or_none_is_a_setting_to_mend(tmp_path: Path, make_http: MakeHttp) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("no certificate")
    os.mkfifo(tmp_path / "pipe")
    for name in ("gone", "empty", "text", "pipe", "."):
        with pytest.raises(ConfigurationError, match=r"split\.ca_file") as caught:
            make_http("https://split.example/scim", ca_file=tmp_path / name)
        assert "PEM" in caught.value.hint
