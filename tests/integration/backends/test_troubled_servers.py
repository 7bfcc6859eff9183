"""Engines that are not what the settings say, on real sockets: the service starts and waits, callers get 5001 with their request's id, and
the operator is told why on /ready and in the log.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sightline.assembly import build_app, open_service
from sightline.config import load

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
MODELS = b'{"data": [{"id": "big", "max_model_len": 4096}]}'
CHUNK = b'data: {"choices": [{"delta": {"content": "Half"}}]}\n\n'


def page(body: bytes, status: bytes = b"200 OK", kind: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (status, kind, len(body), body)


def saying(models: bytes, chat: bytes = b"") -> Answer:
    """A server that answers /v1/models and everything else with these bytes, and closes the connection."""

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(models if b"/v1/models" in request else chat or models)

    return answer


@asynccontextmanager
async def server(answer: Answer, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncGenerator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await answer(head, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def expired(folder: Path) -> ssl.SSLContext:
    """A certificate of our own that ended yesterday; its authority is in `ca.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=9)).not_valid_after(now - datetime.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@asynccontextmanager
async def service(folder: Path, engine: str) -> AsyncGenerator[httpx.AsyncClient]:
    """A service over one engine, whose settings these are."""
    lanes = "".join(f'[lanes.{lane}]\nbackends = ["x"]\n' for lane in "ABC")
    path = folder / "sightline.toml"
    path.write_text(
        f'state = "{folder}/state"\n[trust]\nshipped_rules = false\n[backends.x]\nkind = "openai"\nprobe_s = 0.05\n{engine}\n{lanes}'
    )
    settings = load(path, {})
    async with open_service(settings) as running:
        transport = httpx.ASGITransport(build_app(running, settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client


async def outcome(client: httpx.AsyncClient) -> tuple[int, int, str]:
    """HTTP status, code, and the reason that /ready tells."""
    body = {"task": "chat", "text": "Hello?", "options": {"timeout_ms": 1500}}
    told = await client.post("/infer", json=body, headers={"x-request-id": "req_mine"})
    answer = told.json()
    assert answer["request_id"] == "req_mine"
    ready = (await client.get("/ready")).json()
    return told.status_code, answer["code"], ready["away"].get("x", "")


@pytest.mark.parametrize(
    ("models", "reason", "logged"),
    [
        (page(b"<html>welcome</html>", kind=b"text/html"), "what answers there is no such server", "not a list of models"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "what answers there is no such server", "not HTTP"),
        (page(b'{"error": {"message": "wrong key"}}', b"401 Unauthorized"), "it refused the key", "HTTP 401"),
        (page(b"<html>Bad gateway</html>", b"502 Bad Gateway"), "it answers with an error", "HTTP 502"),
        (page(b'{"data": [{"id": "small"}]}'), "big is not served there; it serves small", "it serves small"),
    ],
    ids=["html", "another protocol", "refused key", "a proxy's error", "wrong model"],
)
async def test_a_server_that_is_not_what_the_settings_say(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, models: bytes, reason: str, logged: str
) -> None:
    async with server(saying(models)) as port, service(tmp_path, f'url = "http://127.0.0.1:{port}"\nmodel = "big"') as client:
        with caplog.at_level(logging.WARNING):
            assert await outcome(client) == (503, 5001, reason)
            assert (await client.get("/ready")).json()["lanes"] == {"A": False, "B": False, "C": False}
    causes = [record.getMessage() for record in caplog.records if record.name == "sightline.backends"]
    assert any(cause.startswith("backend x: not available: ") and logged in cause for cause in causes), causes


async def test_a_server_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    async with server(saying(page(MODELS))) as port:
        pass
    whole = CHUNK + b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    async with service(tmp_path, f'url = "http://127.0.0.1:{port}"') as client:
        assert await outcome(client) == (503, 5001, "it cannot be reached")
        assert (await client.get("/ready")).json()["lanes"] == {"A": False, "B": False, "C": False}
        async with server(saying(page(MODELS), page(whole, kind=b"text/event-stream")), port=port):
            async with asyncio.timeout(10):
                while (await client.get("/ready")).status_code != 200:  # noqa: ASYNC110 - readiness is asked for, as probes do
                    await asyncio.sleep(0.02)
            told = await client.post("/infer", json={"task": "chat", "text": "Hello?"})
            assert told.json()["result"]["answer"] == "Half"


@pytest.mark.parametrize("chat", [CHUNK, b'data: {"choi', b""], ids=["half an answer", "half an event", "nothing"])
async def test_half_a_stream(tmp_path: Path, caplog: pytest.LogCaptureFixture, chat: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    async with server(saying(page(MODELS), head + chat)) as port, service(tmp_path, f'url = "http://127.0.0.1:{port}"') as client:
        with caplog.at_level(logging.WARNING):
            status, code, _ = await outcome(client)
    assert (status, code) == (503, 5001)
    told = [record.getMessage() for record in caplog.records]
    assert any("req_mine" in line and "in the middle of an answer" in line for line in told), told


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (page(b'{"error": {"message": "wrong key"}}', b"401 Unauthorized"), "HTTP 401"),
        (page(b'{"error": {"message": "no such model"}}', b"404 Not Found"), "HTTP 404"),
        (page(b"<html>welcome</html>", kind=b"text/html"), "text/html"),
        (page(b"<html>Bad gateway</html>", b"502 Bad Gateway"), "HTTP 502"),
    ],
    ids=["refused key", "wrong model", "html", "a proxy's error"],
)
async def test_what_is_found_out_by_asking_only(tmp_path: Path, caplog: pytest.LogCaptureFixture, said: bytes, cause: str) -> None:
    """Its list of models is as it should be; the answer is none. The log has the cause and the request's id, the caller has 5001."""
    async with server(saying(page(MODELS), said)) as port, service(tmp_path, f'url = "http://127.0.0.1:{port}"') as client:
        with caplog.at_level(logging.WARNING):
            status, code, _ = await outcome(client)
    assert (status, code) == (503, 5001)
    told = [record.getMessage() for record in caplog.records]
    assert any("req_mine" in line and cause in line for line in told), told


async def test_an_expired_certificate(tmp_path: Path) -> None:
    tls = expired(tmp_path)
    trusted = f'ca = "{tmp_path}/ca.pem"'
    async with server(saying(page(MODELS)), tls) as port, service(tmp_path, f'url = "https://localhost:{port}"\n{trusted}') as client:
        assert await outcome(client) == (503, 5001, "its certificate has expired")


async def test_a_stranger_s_certificate(tmp_path: Path) -> None:
    tls = expired(tmp_path)
    async with server(saying(page(MODELS)), tls) as port, service(tmp_path, f'url = "https://localhost:{port}"') as client:
        status, code, reason = await outcome(client)
        assert (status, code) == (503, 5001)
        assert "certificate" in reason
