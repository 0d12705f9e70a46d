//! Encryption of one value: AES-256-GCM under a key that no other value has.
//!
//! ```text
//! random = 32 bytes from the operating system
//! nonce = HMAC-SHA256(HKDF-Expand(data key, "hitl nonce"), random ‖ what the value is and where ‖ the value)
//! key   = HKDF-Expand(data key, "hitl value" ‖ nonce)
//! ```
//!
//! The nonce is stored in the header. It has 256 bits, so no two values of one data key get the same nonce by chance,
//! regardless of how many processes share that data key. GCM's own nonce has 96 bits and would limit a key to 2^32
//! values. It is left at zero, because each derived key encrypts one value only. A process that was restored from a
//! snapshot draws new bytes, since none are drawn in advance. If a whole machine was copied, including its kernel, two
//! copies may draw the same bytes: other values or other places still give other nonces, and the same value at the same
//! place gives the same bytes, which reveals nothing.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce as GcmNonce},
    error::Unspecified,
    hkdf::{HKDF_SHA256, Prk},
    hmac::{self, HMAC_SHA256},
};

use super::{DataKey, header::Header, header::Nonce};
use crate::{
    ThreadId,
    store::{Record, compression},
};

/// The minimum length for compression, in bytes: a shorter body hardly becomes smaller.
const MIN_COMPRESSED_BYTES: usize = 256;

/// A data key, and the header of the values that it encrypts, without the nonce.
pub(super) struct EncryptionKey {
    pub key: DataKey,
    pub prefix: Vec<u8>,
}

/// Encrypts the body of a record. Fails only if the operating system provides no random bytes.
pub(super) fn encrypt(
    key: &EncryptionKey,
    thread: &ThreadId,
    record: &Record,
) -> Result<Vec<u8>, Unspecified> {
    let packed = compression::compress(&record.body, MIN_COMPRESSED_BYTES);
    let prk = Prk::new_less_safe(HKDF_SHA256, key.key.bytes());
    let nonce = new_nonce(&prk, &associated_data(&key.prefix, thread, record), &packed)?;
    let header = [&key.prefix[..], &nonce].concat();
    let associated_data = associated_data(&header, thread, record);

    let start = header.len();
    let mut value = header;
    value.reserve_exact(packed.len() + AES_256_GCM.tag_len());
    value.extend(packed);
    let tag = value_key(&prk, &nonce)?.seal_in_place_separate_tag(
        zero_nonce(),
        Aad::from(associated_data),
        &mut value[start..],
    )?;
    value.extend(tag.as_ref());
    Ok(value)
}

/// Decrypts the body of a record, or returns `None` if [`encrypt`] did not produce this value for this record of this
/// thread.
pub(super) fn decrypt(
    key: &DataKey,
    header: &Header<'_>,
    ciphertext: &[u8],
    thread: &ThreadId,
    record: &Record,
) -> Option<Vec<u8>> {
    let prk = Prk::new_less_safe(HKDF_SHA256, key.bytes());
    let associated_data = associated_data(header.bytes, thread, record);
    let mut packed = ciphertext.to_vec();
    let packed = value_key(&prk, header.nonce)
        .and_then(|key| key.open_in_place(zero_nonce(), Aad::from(associated_data), &mut packed))
        .ok()?;
    compression::decompress(packed)
}

/// Returns the associated data, which is not part of the value and must be unchanged: the header, the kind of value,
/// the thread, and all other fields of the record.
fn associated_data(header: &[u8], thread: &ThreadId, record: &Record) -> Vec<u8> {
    const KIND: &[u8] = b"entry";
    let name = thread.as_str().as_bytes();
    [
        header,
        KIND,
        &record.place.get().to_be_bytes(),
        &[u8::from(record.snapshot)],
        record.hash.as_bytes(),
        &(name.len() as u64).to_be_bytes(),
        name,
    ]
    .concat()
}

fn new_nonce(prk: &Prk, associated_data: &[u8], packed: &[u8]) -> Result<Nonce, Unspecified> {
    let mut random: Nonce = [0; 32];
    getrandom::fill(&mut random).map_err(|_| Unspecified)?;
    derive_nonce(prk, &random, associated_data, packed)
}

fn derive_nonce(
    prk: &Prk,
    random: &Nonce,
    associated_data: &[u8],
    packed: &[u8],
) -> Result<Nonce, Unspecified> {
    let key = hmac::Key::from(prk.expand(&[b"hitl nonce"], HMAC_SHA256)?);
    let mut all = hmac::Context::with_key(&key);
    [random, associated_data, packed].iter().for_each(|part| all.update(part));
    all.sign().as_ref().try_into().map_err(|_| Unspecified)
}

fn value_key(prk: &Prk, nonce: &Nonce) -> Result<LessSafeKey, Unspecified> {
    Ok(LessSafeKey::new(prk.expand(&[b"hitl value", nonce], &AES_256_GCM)?.into()))
}

fn zero_nonce() -> GcmNonce {
    GcmNonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::header, *};
    use crate::Digest;

    fn key() -> EncryptionKey {
        let key = DataKey::new((0..32).collect()).unwrap();
        EncryptionKey { key, prefix: header::prefix("vault", b"wrapped", "{}").unwrap() }
    }

    fn thread(name: &str) -> ThreadId {
        ThreadId::new(name).unwrap()
    }

    fn record(place: u64, body: &[u8]) -> Record {
        Record::new(place, Digest::of(body), body.to_vec())
    }

    fn decrypted(value: &[u8], thread: &ThreadId, record: &Record) -> Option<Vec<u8>> {
        let header::ParsedValue::Encrypted(header, ciphertext) = header::parse(value) else { return None };
        decrypt(&key().key, &header, ciphertext, thread, record)
    }

    #[test]
    fn a_value_decrypts_only_where_it_was_encrypted() {
        let (mine, other) = (thread("ticket-A-9133"), thread("ticket-A-9134"));
        let original = record(3, b"the draft");
        let value = encrypt(&key(), &mine, &original).unwrap();
        assert_eq!(decrypted(&value, &mine, &original).as_deref(), Some(&b"the draft"[..]));

        assert_eq!(decrypted(&value, &other, &original), None, "another thread");
        assert_eq!(
            decrypted(&value, &mine, &Record::new(4, original.hash, original.body.clone())),
            None,
            "another place"
        );
        assert_eq!(decrypted(&value, &mine, &original.clone().with_snapshot(true)), None, "a snapshot");
        let hash = Digest::of(b"another");
        assert_eq!(
            decrypted(&value, &mine, &Record::new(original.place, hash, original.body.clone())),
            None,
            "another hash"
        );
    }

    #[test]
    fn every_changed_bit_is_detected() {
        let (thread, original) = (thread("ticket-A-9133"), record(3, b"the draft"));
        let value = encrypt(&key(), &thread, &original).unwrap();
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decrypted(&flipped, &thread, &original), None, "bit {bit}");
        }
        for end in 0..value.len() {
            assert_eq!(decrypted(&value[..end], &thread, &original), None, "the first {end} bytes");
        }
        assert_eq!(decrypted(&[&value[..], b"x"].concat(), &thread, &original), None, "a byte more");
    }

    /// The kernel of a copied machine may give two processes the same random bytes.
    #[test]
    fn equal_randomness_gives_distinct_nonces_for_distinct_values() {
        let prk = Prk::new_less_safe(HKDF_SHA256, key().key.bytes());
        let nonce = |thread: &str, place, body: &[u8]| {
            // The hash would differ too, but the nonce must not rely on it, because it comes from the caller.
            let record = Record::new(place, Digest::of(b""), body.to_vec());
            let thread = ThreadId::new(thread).unwrap();
            derive_nonce(&prk, &[9; 32], &associated_data(&key().prefix, &thread, &record), body).unwrap()
        };
        let nonces = [nonce("a", 0, b"x"), nonce("a", 0, b"y"), nonce("a", 1, b"x"), nonce("b", 0, b"x")];
        assert!((0..4).all(|i| !nonces[i + 1..].contains(&nonces[i])), "{nonces:?}");
        // Equal inputs give equal bytes, so still no key encrypts two different values.
        assert_eq!(nonce("a", 0, b"x"), nonces[0]);
    }

    #[test]
    fn equal_values_have_distinct_ciphertexts() {
        let (thread, original) = (thread("ticket-A-9133"), record(3, b"the draft"));
        let values: std::collections::BTreeSet<_> =
            (0..100).map(|_| encrypt(&key(), &thread, &original).unwrap()).collect();
        assert_eq!(values.len(), 100);
    }

    /// The growth that the module documentation states.
    #[test]
    fn a_value_grows_by_its_header_a_byte_and_its_tag() {
        let value = encrypt(&key(), &thread("t"), &record(0, b"{}")).unwrap();
        assert_eq!(value.len(), key().prefix.len() + 32 + 1 + 2 + 16);
        let long = encrypt(&key(), &thread("t"), &record(0, &[b'x'; 5_000])).unwrap();
        assert!(long.len() < 200, "it is compressed before it is encrypted: {}", long.len());
    }
}
