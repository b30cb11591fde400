//! Notes, checkpoints and receipts: what is written is read back, what is signed verifies, and
//! anything else is refused with a reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use pavilion_tlog::{
    Checkpoint, CheckpointError, EMPTY_ROOT, Hash, MAX_ENTRY_BYTES, MerkleError, Note, NoteError,
    Proof, ProofError, VerifierKey, inclusion_proof, leaf_hash, node_hash,
};
use proptest::prelude::*;

/// Key and note are the example of the signed-note specification.
const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
/// The example of the tlog-checkpoint specification.
const CHECKPOINT: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const ORIGIN: &str = "example.com/log";

fn signer() -> (Ed25519KeyPair, VerifierKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (pair, VerifierKey::new(ORIGIN, public).unwrap())
}

fn sign(text: &str) -> Note {
    let (pair, key) = signer();
    let signature = pair.sign(text.as_bytes()).as_ref().try_into().unwrap();
    Note::new(text, vec![key.signature(signature)]).unwrap()
}

/// A receipt for the second of three entries.
fn receipt() -> (Proof, Hash) {
    let leaves = [leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")];
    let root = node_hash(&node_hash(&leaves[0], &leaves[1]), &leaves[2]);
    let read = |node: pavilion_tlog::Node| {
        assert_eq!(node.level, 0);
        Ok::<_, ()>(leaves[usize::try_from(node.index).unwrap()])
    };
    let hashes = inclusion_proof(1, 3, read).unwrap();
    let checkpoint = sign(&Checkpoint::new(ORIGIN, 3, root).unwrap().to_string());
    (
        Proof {
            extra: Some(b"b".to_vec()),
            index: 1,
            hashes,
            checkpoint,
        },
        leaves[1],
    )
}

#[test]
fn the_signed_example_of_the_specification_verifies_and_prints_as_it_was() {
    let note: Note = NOTE.parse().unwrap();
    let key: VerifierKey = KEY.parse().unwrap();
    assert_eq!(key.verify(&note), Ok(()));
    assert_eq!(note.to_string(), NOTE);
    assert_eq!(note.text(), "This is an example message.\n");
}

#[test]
fn a_changed_text_or_signature_is_refused_and_a_foreign_signature_is_passed_over() {
    let key: VerifierKey = KEY.parse().unwrap();
    let changed: Note = NOTE
        .replace("example message", "example massage")
        .parse()
        .unwrap();
    assert_eq!(key.verify(&changed), Err(NoteError::BadSignature));
    let flipped: Note = NOTE.replace("Okn8", "Okn9").parse().unwrap();
    assert_eq!(key.verify(&flipped), Err(NoteError::BadSignature));
    let renamed: Note = NOTE
        .replace("— example.com/foo", "— example.com/bar")
        .parse()
        .unwrap();
    assert_eq!(key.verify(&renamed), Err(NoteError::NotSigned));
    let cosigned: Note = format!("{NOTE}— witness.example AAAAAQID\n")
        .parse()
        .unwrap();
    assert_eq!(key.verify(&cosigned), Ok(()));
    assert_eq!(
        (
            cosigned.signatures()[1].name(),
            cosigned.signatures()[1].key_id()
        ),
        ("witness.example", 1)
    );
}

#[test]
fn a_text_that_is_not_a_note_is_refused() {
    let line = NOTE.split('\n').nth(2).unwrap();
    let cases = [
        (String::new(), NoteError::Malformed),
        ("text\n".into(), NoteError::Malformed),
        ("text\n\n".into(), NoteError::Malformed),
        (NOTE.trim_end().into(), NoteError::Malformed),
        (
            NOTE.replace("an example", "an\texample"),
            NoteError::Malformed,
        ),
        (format!("text\n\n{line}\n\n"), NoteError::Malformed),
        (NOTE.replace("— ", "- "), NoteError::MalformedSignature),
        (NOTE.replace("/foo", "+foo"), NoteError::MalformedSignature),
        (NOTE.replace("yaQM=", "yaQM"), NoteError::MalformedSignature),
        (
            "text\n\n— name AAAAAA==\n".into(),
            NoteError::MalformedSignature,
        ),
        ("text\n\n— name\n".into(), NoteError::MalformedSignature),
        (
            format!("text\n\n{}", format!("{line}\n").repeat(65)),
            NoteError::TooManySignatures,
        ),
        ("a".repeat(300_000), NoteError::TooLong),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Note>(), Err(error), "{text:.80}");
    }
    let text = "a text\n\nof two parts\n";
    assert_eq!(
        format!("{text}\n{line}\n").parse::<Note>().unwrap().text(),
        text
    );
}

#[test]
fn a_note_is_only_put_together_from_parts_that_can_be_read_back() {
    let signature = NOTE.parse::<Note>().unwrap().signatures().to_vec();
    assert_eq!(
        Note::new("no newline", signature.clone()),
        Err(NoteError::Malformed)
    );
    assert_eq!(
        Note::new("bell\u{7}\n", signature.clone()),
        Err(NoteError::Malformed)
    );
    assert_eq!(Note::new("text\n", Vec::new()), Err(NoteError::Malformed));
    assert_eq!(
        Note::new("text\n", vec![signature[0].clone(); 65]),
        Err(NoteError::TooManySignatures)
    );
    assert_eq!(
        Note::new(&"a\n".repeat(200_000), signature),
        Err(NoteError::TooLong)
    );
}

#[test]
fn the_checkpoint_example_of_the_specification_goes_round_with_extensions() {
    let checkpoint: Checkpoint = CHECKPOINT.parse().unwrap();
    assert_eq!(checkpoint.size(), 20_852_163);
    assert_eq!(checkpoint.to_string(), CHECKPOINT);
    let extended = format!("{CHECKPOINT}one\ntwo\n");
    let checkpoint: Checkpoint = extended.parse().unwrap();
    assert_eq!(checkpoint.extensions(), ["one", "two"]);
    assert_eq!(checkpoint.to_string(), extended);
}

#[test]
fn a_text_that_is_not_a_checkpoint_is_refused() {
    let cases = [
        (CHECKPOINT.trim_end().to_owned(), CheckpointError::Lines),
        (
            CHECKPOINT.replace("20852163", "020852163"),
            CheckpointError::Size,
        ),
        (CHECKPOINT.replace("20852163", ""), CheckpointError::Lines),
        (CHECKPOINT.replace("q2I=", "q2I"), CheckpointError::Root),
        (format!("{CHECKPOINT}\n"), CheckpointError::Lines),
        (
            format!("{CHECKPOINT}{}", "x\n".repeat(17)),
            CheckpointError::TooLong,
        ),
        (
            format!("{CHECKPOINT}{}\n", "x".repeat(20_000)),
            CheckpointError::TooLong,
        ),
        (
            CHECKPOINT.replace("example", &"e".repeat(250)),
            CheckpointError::Origin,
        ),
        ("one\n1\n".into(), CheckpointError::Lines),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Checkpoint>(), Err(error), "{text:.80}");
    }
    for origin in ["", "a\nb", "a\tb"] {
        assert_eq!(
            Checkpoint::new(origin, 0, EMPTY_ROOT),
            Err(CheckpointError::Origin)
        );
    }
}

#[test]
fn a_checkpoint_of_another_log_is_refused_even_when_the_key_signed_it() {
    let (_, key) = signer();
    let mine = sign(&Checkpoint::new(ORIGIN, 0, EMPTY_ROOT).unwrap().to_string());
    assert_eq!(Checkpoint::open(&mine, &key).unwrap().size(), 0);
    let other = sign(
        &Checkpoint::new("example.com/other", 0, EMPTY_ROOT)
            .unwrap()
            .to_string(),
    );
    assert_eq!(
        Checkpoint::open(&other, &key),
        Err(CheckpointError::OtherLog)
    );
}

#[test]
fn a_receipt_goes_round_and_proves_its_entry_and_no_other() {
    let (proof, leaf) = receipt();
    let (_, key) = signer();
    let read: Proof = proof.to_string().parse().unwrap();
    assert_eq!(read, proof);
    assert_eq!(read.verify(&leaf, &key).unwrap().size(), 3);
    let other = leaf_hash(b"another entry");
    assert_eq!(
        read.verify(&other, &key),
        Err(ProofError::Merkle(MerkleError::RootMismatch))
    );
    let bare = Proof {
        extra: None,
        ..read
    };
    assert_eq!(bare.to_string().parse(), Ok(bare.clone()));
    let stranger: VerifierKey = KEY.parse().unwrap();
    let not_signed = CheckpointError::Note(NoteError::NotSigned);
    assert_eq!(
        bare.verify(&leaf, &stranger),
        Err(ProofError::Checkpoint(not_signed))
    );
}

#[test]
fn a_text_that_is_not_a_receipt_is_refused() {
    let text = receipt().0.to_string();
    let hash = receipt().0.hashes[0].to_string();
    let cases = [
        (String::new(), ProofError::FirstLine),
        (text.replace("@v1", "@v2"), ProofError::FirstLine),
        ("c2sp.org/tlog-proof@v1\n".into(), ProofError::Index),
        (
            "c2sp.org/tlog-proof@v1\nextra AA==\n".into(),
            ProofError::Index,
        ),
        (text.replace("extra Yg==", "extra Yg"), ProofError::Extra),
        (text.replace("index 1", "index 01"), ProofError::Index),
        (text.replace("index 1", "index"), ProofError::Index),
        (text.replace(&hash, &hash[1..]), ProofError::Hash),
        (
            text.replace(&format!("{hash}\n"), &format!("{hash}\n").repeat(64)),
            ProofError::TooLong,
        ),
        ("a".repeat(500_000), ProofError::TooLong),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Proof>(), Err(error), "{text:.80}");
    }
    let big = Proof {
        extra: Some(vec![0; MAX_ENTRY_BYTES]),
        ..receipt().0
    };
    assert!(big.to_string().parse::<Proof>().is_ok());
    let too_big = Proof {
        extra: Some(vec![0; MAX_ENTRY_BYTES + 1]),
        ..receipt().0
    };
    assert_eq!(too_big.to_string().parse::<Proof>(), Err(ProofError::Extra));
}

proptest! {
    #[test]
    fn a_receipt_with_any_one_byte_changed_is_refused(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let (proof, leaf) = receipt();
        let (_, key) = signer();
        let proof = Proof { extra: None, ..proof };
        let mut bytes = proof.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let verified = std::str::from_utf8(&bytes).ok()
            .and_then(|text| text.parse::<Proof>().ok())
            .and_then(|proof| proof.verify(&leaf, &key).ok());
        prop_assert_eq!(verified, None);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,200}") {
        let _ = text.parse::<Note>();
        let _ = text.parse::<Checkpoint>();
        let _ = text.parse::<VerifierKey>();
        let _ = format!("c2sp.org/tlog-proof@v1\n{text}\n").parse::<Proof>();
    }
}
