//! The objects of a key in the token: made, found, used, destroyed.

use std::collections::BTreeMap;

use aws_lc_rs::rand;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use super::keys_file::Sealed;
use super::{Class, KeyLabel, TokenError};

/// The object identifier of P-256 (RFC 5480 section 2.1.1.1), DER.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Ed25519 as tokens name it: the identifier of RFC 8410, and the name PKCS#11 3.0 section 2.3.10 gives.
const ED25519: [&[u8]; 2] = [&[0x06, 0x03, 0x2b, 0x65, 0x70], b"\x13\x0cedwards25519"];

/// The length of the GCM tag, in bits.
const TAG_BITS: u64 = 128;

/// Makes an EC P-256 key pair whose private half never leaves the token.
pub(super) fn make_p256(session: &Session, label: &KeyLabel) -> Result<(), TokenError> {
    make_pair(session, label, &Mechanism::EccKeyPairGen, &P256)
}

/// Makes an Ed25519 key pair whose private half never leaves the token.
pub(super) fn make_ed25519(session: &Session, label: &KeyLabel) -> Result<(), TokenError> {
    let make = |curve| make_pair(session, label, &Mechanism::EccEdwardsKeyPairGen, curve);
    let [by_identifier, by_name] = ED25519;
    match make(by_identifier) {
        Err(error) if error.class == Class::Mechanism => make(by_name),
        other => other,
    }
}

fn make_pair(
    session: &Session,
    label: &KeyLabel,
    by: &Mechanism,
    curve: &[u8],
) -> Result<(), TokenError> {
    let mut public = names(label);
    public.extend([
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcParams(curve.to_vec()),
    ]);
    let mut private = secret_template(label);
    private.push(Attribute::Sign(true));
    session.generate_key_pair(by, &public, &private)?;
    Ok(())
}

/// Makes the AES-256 key that seals what the token cannot hold.
pub(super) fn make_seal(session: &Session, label: &KeyLabel) -> Result<(), TokenError> {
    let mut template = secret_template(label);
    template.extend([
        Attribute::ValueLen(32.into()),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ]);
    session.generate_key(&Mechanism::AesKeyGen, &template)?;
    Ok(())
}

fn names(label: &KeyLabel) -> Vec<Attribute> {
    vec![
        Attribute::Label(label.to_string().into_bytes()),
        Attribute::Id(label.id()),
    ]
}

fn secret_template(label: &KeyLabel) -> Vec<Attribute> {
    let mut template = names(label);
    template.extend([
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
    ]);
    template
}

/// Every key of ours in the token, by the classes of its objects.
pub(super) fn list(session: &Session) -> Result<BTreeMap<KeyLabel, Vec<ObjectClass>>, TokenError> {
    let mut found = BTreeMap::<KeyLabel, Vec<ObjectClass>>::new();
    for class in [
        ObjectClass::PRIVATE_KEY,
        ObjectClass::PUBLIC_KEY,
        ObjectClass::SECRET_KEY,
    ] {
        for object in session.find_objects(&[Attribute::Token(true), Attribute::Class(class)])? {
            // An object that cannot say its label is one that a crash cut short, or not ours.
            let attributes = session.get_attributes(object, &[AttributeType::Label]);
            let label = attributes
                .ok()
                .and_then(|found| found.iter().find_map(read_label));
            if let Some(label) = label {
                found.entry(label).or_default().push(class);
            }
        }
    }
    Ok(found)
}

fn read_label(attribute: &Attribute) -> Option<KeyLabel> {
    match attribute {
        Attribute::Label(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => None,
    }
}

/// The object of `class` that belongs to the key.
pub(super) fn find(
    session: &Session,
    label: &KeyLabel,
    class: ObjectClass,
) -> Result<Option<ObjectHandle>, TokenError> {
    let name = Attribute::Label(label.to_string().into_bytes());
    let template = [Attribute::Token(true), Attribute::Class(class), name];
    Ok(session.find_objects(&template)?.into_iter().next())
}

/// The public key as the curve's own bytes: 65 for P-256 (uncompressed), 32 for Ed25519.
pub(super) fn public_point(
    session: &Session,
    label: &KeyLabel,
    length: usize,
) -> Result<Option<Vec<u8>>, TokenError> {
    let Some(object) = find(session, label, ObjectClass::PUBLIC_KEY)? else {
        return Ok(None);
    };
    let attributes = session.get_attributes(object, &[AttributeType::EcPoint])?;
    Ok(attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            Attribute::EcPoint(bytes) => strip_der(&bytes, length),
            _ => None,
        }))
}

/// Tokens say a point as DER OCTET STRING (as PKCS#11 asks), as DER BIT STRING, or bare.
fn strip_der(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    let point = match bytes {
        [0x04, short, rest @ ..] if rest.len() == length && usize::from(*short) == length => rest,
        [0x03, _, 0x00, rest @ ..] if rest.len() == length => rest,
        bare if bare.len() == length => bare,
        _ => return None,
    };
    Some(point.to_vec())
}

/// Destroys what there is of a key, the secret part first: a public key alone is recognised as a rest.
pub(super) fn destroy(session: &Session, label: &KeyLabel) -> Result<(), TokenError> {
    for class in [
        ObjectClass::PRIVATE_KEY,
        ObjectClass::SECRET_KEY,
        ObjectClass::PUBLIC_KEY,
    ] {
        while let Some(object) = find(session, label, class)? {
            session.destroy_object(object)?;
        }
    }
    Ok(())
}

/// ECDSA over a SHA-256 digest: r and s, 32 bytes each.
pub(super) fn sign_p256(
    session: &Session,
    key: ObjectHandle,
    digest: &[u8],
) -> Result<Vec<u8>, TokenError> {
    fixed(session.sign(&Mechanism::Ecdsa, key, digest)?)
}

/// Ed25519 (RFC 8032) over the message.
pub(super) fn sign_ed25519(
    session: &Session,
    key: ObjectHandle,
    message: &[u8],
) -> Result<Vec<u8>, TokenError> {
    let pure = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
    fixed(session.sign(&pure, key, message)?)
}

fn fixed(signature: Vec<u8>) -> Result<Vec<u8>, TokenError> {
    if signature.len() == 64 {
        return Ok(signature);
    }
    let text = format!("the token made a signature of {} bytes", signature.len());
    Err(TokenError::new(Class::Other, text))
}

/// Seals `secret` for the key `label` under the sealing key `by`.
pub(super) fn seal(
    session: &Session,
    by: &KeyLabel,
    label: &KeyLabel,
    secret: &[u8],
) -> Result<Sealed, TokenError> {
    let key = sealing_key(session, by)?;
    let mut nonce = [0_u8; 12];
    rand::fill(&mut nonce).map_err(|_| TokenError::new(Class::Other, "no random numbers"))?;
    let written = hex::encode(nonce);
    let bound = label.to_string();
    let parameters = GcmParams::new(&mut nonce, bound.as_bytes(), TAG_BITS.into())?;
    let ciphertext = session.encrypt(&Mechanism::AesGcm(parameters), key, secret)?;
    Ok(Sealed {
        by: *by,
        nonce: written,
        ciphertext: hex::encode(ciphertext),
    })
}

/// Opens what [`seal`] sealed for the same label.
pub(super) fn open(
    session: &Session,
    label: &KeyLabel,
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    let damaged = |_| TokenError::new(Class::Other, "a sealed key is not written in hex");
    let key = sealing_key(session, &sealed.by)?;
    let mut nonce = hex::decode(&sealed.nonce).map_err(damaged)?;
    let ciphertext = hex::decode(&sealed.ciphertext).map_err(damaged)?;
    let bound = label.to_string();
    let parameters = GcmParams::new(&mut nonce, bound.as_bytes(), TAG_BITS.into())?;
    Ok(Zeroizing::new(session.decrypt(
        &Mechanism::AesGcm(parameters),
        key,
        &ciphertext,
    )?))
}

fn sealing_key(session: &Session, by: &KeyLabel) -> Result<ObjectHandle, TokenError> {
    find(session, by, ObjectClass::SECRET_KEY)?.ok_or_else(|| {
        TokenError::new(
            Class::Other,
            format!("the sealing key {by} is not in the token"),
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_point_is_read_in_each_form_tokens_use() {
        let point: Vec<u8> = (0..32).collect();
        for form in [
            point.clone(),
            [&[0x04, 32][..], &point].concat(),
            [&[0x03, 33, 0][..], &point].concat(),
        ] {
            assert_eq!(strip_der(&form, 32).as_ref(), Some(&point));
        }
        assert_eq!(strip_der(&[0x04, 31, 1], 32), None);
        assert_eq!(strip_der(&[], 32), None);
    }

    #[test]
    fn a_signature_of_another_length_is_not_passed_on() {
        assert!(fixed(vec![0; 64]).is_ok());
        assert!(fixed(vec![0; 70]).is_err());
    }
}
