"""A foreign issuer and wallet: PyPI sd-jwt.

Reads one job as JSON on stdin, prints {credential, presentation}. The job is that of js/present.mjs.
"""

import json
import sys

from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer

job = json.load(sys.stdin)
issuer_key = JWK.from_json(json.dumps(job["issuerKey"]))
holder_key = JWK.from_json(json.dumps(job["holderKey"]))

claims = {
    (SDObj(name) if name in job["concealed"] else name): value
    for name, value in job["payload"].items()
}
credential = SDJWTIssuer(
    claims,
    issuer_key,
    holder_key,
    add_decoy_claims=True,
    extra_header_parameters={"typ": "dc+sd-jwt", "kid": job["issuerKey"]["kid"]},
).sd_jwt_issuance

holder = SDJWTHolder(credential)
holder.create_presentation(
    {name: True for name in job["disclose"]}, job["nonce"], job["audience"], holder_key
)
json.dump({"credential": credential, "presentation": holder.sd_jwt_presentation}, sys.stdout)
