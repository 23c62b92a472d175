"""Messages by HTTP POST, signed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import requests

from zeroth import __version__
from zeroth.notify.courier import Message
from zeroth.spec.fetch.found import failed, unreachable, without_password
from zeroth.spec.fetch.pins import CertificatePin
from zeroth.spec.fetch.web import BUSY, Trust, explained, trusting
from zeroth.spec.model import Webhook

__all__ = ["DELIVERY", "EVENT", "SIGNATURE", "signature", "webhook_sender"]

SIGNATURE = "Zeroth-Signature"
EVENT = "Zeroth-Event"
DELIVERY = "Zeroth-Delivery"
_TIMEOUT = (10.0, 20.0)  # seconds to connect, and for the answer to begin
_VERB = "send to"


def signature(secret: str, body: bytes) -> str:
    """What the header :data:`SIGNATURE` holds: HMAC-SHA-256 (RFC 2104) of the body, by the secret."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def webhook_sender(webhook: Webhook, run: str, authorities: str = "") -> Callable[[Message], None]:
    """What delivers a message to a webhook.

    :param run: tells this run from others.
    :param authorities: certificates in PEM that the server may be known by, besides the usual ones.
    """
    pins = (CertificatePin(bytes.fromhex(webhook.certificate)),) if webhook.certificate else ()
    trust = Trust(authorities, pins)
    shown = without_password(webhook.url)

    def send(message: Message) -> None:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"zeroth/{__version__}",
            EVENT: message.kind,
            DELIVERY: f"{run}/{message.number}",
        }
        if webhook.secret:
            headers[SIGNATURE] = signature(webhook.secret.get_secret_value(), message.body)
        if webhook.token:
            headers["Authorization"] = f"Bearer {webhook.token.get_secret_value()}"
        with requests.Session() as client, trusting(client, trust), explained(shown, _VERB):
            # No proxies or .netrc of whoever runs this.
            client.trust_env = False
            # No redirection: a POST that is sent on changes its method, and its receiver.
            with client.post(
                webhook.url, data=message.body, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True
            ) as response:
                status, answer = response.status_code, f"the server answered {response.status_code} {response.reason}"
        if status in BUSY or status >= 500:
            raise unreachable(shown, answer, verb=_VERB)
        if not 200 <= status < 300:
            raise failed(shown, answer, verb=_VERB)

    return send
