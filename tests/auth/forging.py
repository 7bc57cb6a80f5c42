"""Tokens that nobody should make."""

import base64
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def encode(value: Any) -> str:
    """Base64url of bytes, or of a value as JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(header: Any, claims: Any, private: Ed25519PrivateKey | None) -> str:
    """A token with any header and claims; the signature is that of the key, or missing."""
    signed = f"{encode(header)}.{encode(claims)}"
    return f"{signed}.{encode(private.sign(signed.encode())) if private is not None else ''}"


def forge_with_public_key(header: Any, claims: Any, public: Ed25519PublicKey) -> str:
    """A token whose signature is an HMAC with what everybody knows."""
    signed = f"{encode(header)}.{encode(claims)}"
    signer = jwt.get_algorithm_by_name(header["alg"])
    return f"{signed}.{encode(signer.sign(signed.encode(), public.public_bytes_raw()))}"
