// A foreign reader of answers: npm jose.
// Reads {jws, jwks, issuer, audience} as JSON on stdin; prints the payload, or fails.
import { createLocalJWKSet, jwtVerify } from 'jose';

const parts = [];
for await (const part of process.stdin) parts.push(part);
const { jws, jwks, issuer, audience } = JSON.parse(Buffer.concat(parts).toString());
const { payload } = await jwtVerify(jws, createLocalJWKSet(jwks), {
  issuer,
  audience,
  typ: 'pvr+jwt',
  algorithms: ['ES256'],
  requiredClaims: ['jti', 'iat', 'exp', 'verdict'],
});
process.stdout.write(JSON.stringify(payload));
