"""The OpenAPI document against the service: whatever it lets a program send, there is no 5xx and no answer that it does not describe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from sightline.server.openapi import document
from tests.harness import FAKE, Running, lanes, serving

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install 'sightline[dev]'")
checks = pytest.importorskip("schemathesis.checks")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    engine = FAKE.replace("decode = 400.0", "decode = 100000.0").replace("answer_tokens = 40", "answer_tokens = 2")
    with serving(tmp_path_factory.mktemp("openapi"), engine + lanes(), 'root_path = "/v"') as service:
        yield service


schema = schemathesis.openapi.from_dict(document("/v"))


_BOUNDED: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


@schema.parametrize()
@settings(max_examples=20, **_BOUNDED)
def test_every_answer_is_one_that_the_document_describes(case: Any, running: Running) -> None:
    _send(case, running)


@pytest.mark.full
@pytest.mark.timeout(900)
@schema.parametrize()
@settings(max_examples=400, **_BOUNDED)
def test_every_answer_is_one_that_the_document_describes_at_length(case: Any, running: Running) -> None:
    _send(case, running)


def _send(case: Any, running: Running) -> None:
    chosen = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
    case.call_and_validate(
        checks=[checks.not_a_server_error, *(checks.CHECKS.get_one(name) for name in chosen)], base_url=running.url, timeout=20
    )
