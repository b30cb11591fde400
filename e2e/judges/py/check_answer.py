"""A foreign reader of answers: PyPI jwcrypto.

Reads {jws, jwks, issuer, audience} as JSON on stdin; prints the payload, or fails.
"""

import json
import sys

from jwcrypto.jwk import JWKSet
from jwcrypto.jwt import JWT

job = json.load(sys.stdin)
token = JWT(
    jwt=job["jws"],
    key=JWKSet.from_json(json.dumps(job["jwks"])),
    algs=["ES256"],
    check_claims={"iss": job["issuer"], "aud": job["audience"], "exp": None, "iat": None, "jti": None},
)
sys.stdout.write(token.claims)
