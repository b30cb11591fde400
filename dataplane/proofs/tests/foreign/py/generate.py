"""Credentials and presentations made by the Python package sd-jwt.

Run: python generate.py > ../../vectors/foreign/sd-jwt-py.json
"""

import json
import time

from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

NOW = int(time.time())
NONCE = "n-0S6_WzA2Mj-8kq3"
AUDIENCE = "https://verify.acme.example"

ALWAYS = {
    "iss": "https://pid.example",
    "vct": "urn:eudi:pid:1",
    "iat": NOW - 3600,
    "exp": NOW + 86400,
}


def sd(name):
    return SDObj(name)


CASES = {
    "flat": (
        {sd("given_name"): "Erika", sd("birthdate"): "1963-08-12", "country": "DE"},
        {"birthdate": True},
        False,
    ),
    "structured": (
        {"address": {sd("street_address"): "Heidestraße 17", sd("country"): "DE", "locality": "Köln"}},
        {"address": {"country": True}},
        False,
    ),
    "recursive": (
        {sd("age_equal_or_over"): {sd("16"): True, sd("18"): True, sd("65"): False}},
        {"age_equal_or_over": {"18": True}},
        False,
    ),
    "array": (
        {"nationalities": [sd("DE"), "FR", sd("NL"), sd({"code": "BE"})]},
        {"nationalities": [False, False, True, True]},
        False,
    ),
    "array in a disclosure": (
        {sd("nationalities"): [sd("DE"), sd("FR")]},
        {"nationalities": [True, False]},
        False,
    ),
    "decoys": (
        {sd("given_name"): "Erika", "address": {sd("country"): "DE"}},
        {"given_name": True, "address": {"country": True}},
        True,
    ),
    "nothing": ({sd("given_name"): "Erika"}, {}, False),
    "odd values": (
        {sd("null"): None, sd("float"): 1.5, sd("empty"): {}, sd("text"): "\u0000\u2028😀\"\\"},
        {"null": True, "float": True, "empty": True, "text": True},
        False,
    ),
}


def presented(name, claims, reveal, decoys):
    issuer = JWK.generate(kty="EC", crv="P-256", kid="issuer-key")
    holder = JWK.generate(kty="EC", crv="P-256")
    credential = SDJWTIssuer(
        {**ALWAYS, **claims},
        issuer,
        holder,
        add_decoy_claims=decoys,
        extra_header_parameters={"typ": "dc+sd-jwt", "kid": "issuer-key"},
    ).sd_jwt_issuance
    wallet = SDJWTHolder(credential)
    wallet.create_presentation(reveal, NONCE, AUDIENCE, holder)
    verified = SDJWTVerifier(
        wallet.sd_jwt_presentation, lambda *_: issuer, AUDIENCE, NONCE
    ).get_verified_payload()
    return {
        "name": name,
        "issuer_key": issuer.export_public(as_dict=True),
        "presentation": wallet.sd_jwt_presentation,
        "claims": verified,
    }


print(
    json.dumps(
        {
            "made_by": "sd-jwt 0.10.4 (Python)",
            "now": NOW,
            "nonce": NONCE,
            "audience": AUDIENCE,
            "presentations": [presented(name, *case) for name, case in CASES.items()],
        },
        indent=1,
    )
)
