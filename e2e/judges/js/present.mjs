// A foreign issuer and wallet: npm @sd-jwt/sd-jwt-vc.
// Reads one job as JSON on stdin, prints {credential, presentation}.
// Job: issuerKey, holderKey (private JWKs, P-256), payload (iss, vct, claims…), concealed (names of
// top-level claims to make selectively disclosable), disclose (names to reveal), nonce, audience, iat.
import { createHash, webcrypto } from 'node:crypto';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';

const read = async () => {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
};

const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const signer = async (jwk) => {
  const key = await webcrypto.subtle.importKey('jwk', jwk, ES256, false, ['sign']);
  return async (data) =>
    Buffer.from(await webcrypto.subtle.sign(ES256, key, Buffer.from(data))).toString('base64url');
};
const publicPart = ({ d, ...jwk }) => jwk;

const job = await read();
const sdjwt = new SDJwtVcInstance({
  signer: await signer(job.issuerKey),
  signAlg: 'ES256',
  kbSigner: await signer(job.holderKey),
  kbSignAlg: 'ES256',
  hasher: (data, alg) =>
    createHash(alg.replace('-', '')).update(typeof data === 'string' ? data : Buffer.from(data)).digest(),
  hashAlg: 'sha-256',
  saltGenerator: (length) => Buffer.from(webcrypto.getRandomValues(new Uint8Array(length))).toString('base64url'),
});

const credential = await sdjwt.issue(
  { ...job.payload, cnf: { jwk: publicPart(job.holderKey) } },
  { _sd: job.concealed },
  { header: { kid: job.issuerKey.kid } },
);
const frame = Object.fromEntries(job.disclose.map((name) => [name, true]));
const presentation = await sdjwt.present(credential, frame, {
  kb: { payload: { iat: job.iat, aud: job.audience, nonce: job.nonce } },
});
process.stdout.write(JSON.stringify({ credential, presentation }));
