"""Keys that sign JWTs in tests."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import rsa

RSA_KEY = rsa.generate_private_key(65537, 2048)
