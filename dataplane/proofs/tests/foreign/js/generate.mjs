// Credentials and presentations made by @sd-jwt/sd-jwt-vc, keys by node's own crypto.
import { createHash, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';

const now = 1790000000;
const nonce = 'n-0S6_WzA2Mj-8kq3';
const audience = 'https://verify.acme.example';

const curves = { ES256: ['P-256', 'sha256'], ES384: ['P-384', 'sha384'], EdDSA: ['Ed25519', null] };

function keyPair(algorithm) {
  const [curve, hash] = curves[algorithm];
  const pair =
    algorithm === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: curve });
  const key = (half) => (hash ? { key: half, dsaEncoding: 'ieee-p1363' } : half);
  return {
    algorithm,
    jwk: pair.publicKey.export({ format: 'jwk' }),
    signer: (data) => sign(hash, Buffer.from(data), key(pair.privateKey)).toString('base64url'),
    verifier: (data, signature) =>
      verify(hash, Buffer.from(data), key(pair.publicKey), Buffer.from(signature, 'base64url')),
  };
}

function instance(issuer, holder, hashAlg = 'sha-256') {
  return new SDJwtVcInstance({
    signer: issuer.signer,
    verifier: issuer.verifier,
    signAlg: issuer.algorithm,
    hasher: (data, alg) => createHash(alg.replace('-', '')).update(Buffer.from(data)).digest(),
    hashAlg,
    saltGenerator: (length) => randomBytes(length).toString('base64url'),
    kbSigner: holder.signer,
    kbSignAlg: holder.algorithm,
    kbVerifier: holder.verifier,
  });
}

const claims = {
  given_name: 'Erika',
  birthdate: '1963-08-12',
  address: { street_address: 'Heidestraße 17', locality: 'Köln', country: 'DE' },
  nationalities: ['DE', 'FR', 'NL'],
  age_equal_or_over: { 16: true, 18: true, 65: false },
};

const frames = {
  flat: [{ _sd: ['given_name', 'birthdate', 'address'] }, { birthdate: true }],
  structured: [
    { _sd: ['given_name'], address: { _sd: ['street_address', 'country'] } },
    { address: { country: true } },
  ],
  recursive: [
    { _sd: ['address', 'age_equal_or_over'], age_equal_or_over: { _sd: ['16', '18', '65'] } },
    { age_equal_or_over: { 18: true } },
  ],
  array: [{ nationalities: { _sd: [0, 2] } }, { nationalities: { 2: true } }],
  decoys: [{ _sd: ['given_name', 'birthdate'], _sd_decoy: 4, address: { _sd: ['country'], _sd_decoy: 3 } }, { given_name: true }],
  nothing: [{ _sd: ['given_name', 'birthdate'] }, {}],
  everything: [{ _sd: ['given_name', 'birthdate', 'address', 'nationalities', 'age_equal_or_over'] },
    { given_name: true, birthdate: true, address: true, nationalities: true, age_equal_or_over: true }],
};

async function presented(name, frame, reveal, issuer, holder, hash) {
  const sdjwt = instance(issuer, holder, hash);
  const payload = {
    iss: 'https://pid.example',
    vct: 'urn:eudi:pid:1',
    iat: now - 3600,
    exp: now + 86400,
    cnf: { jwk: holder.jwk },
    ...claims,
  };
  const credential = await sdjwt.issue(payload, frame, { header: { kid: 'issuer-key' } });
  const presentation = await sdjwt.present(credential, reveal, {
    kb: { payload: { iat: now, aud: audience, nonce } },
  });
  return {
    name,
    issuer_key: { ...issuer.jwk, kid: 'issuer-key' },
    presentation,
    claims: await (await sdjwt.decode(presentation)).getClaims(sdjwt.userConfig.hasher),
  };
}

const presentations = [];
const es256 = () => [keyPair('ES256'), keyPair('ES256')];
for (const [name, [frame, reveal]] of Object.entries(frames)) {
  presentations.push(await presented(name, frame, reveal, ...es256()));
}
const [frame, reveal] = frames.structured;
for (const hash of ['sha-384', 'sha-512']) {
  presentations.push(await presented(hash, frame, reveal, ...es256(), hash));
}
for (const algorithm of ['ES384', 'EdDSA']) {
  presentations.push(await presented(algorithm, frame, reveal, keyPair(algorithm), keyPair(algorithm)));
}

console.log(JSON.stringify({ made_by: '@sd-jwt/sd-jwt-vc 0.20.0', now, nonce, audience, presentations }, null, 1));
