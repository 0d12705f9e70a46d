//! Encryption of one value: AES-256-GCM under a key that no other value has.
//!
//! ```text
//! drawn = 32 bytes from the operating system
//! nonce = HMAC-SHA256(HKDF-Expand(data key, "hitl nonce"), drawn ‖ what the value is and where ‖ the value)
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
    store::{Record, pack},
};

/// The minimum length for compression, in bytes: a shorter body hardly becomes smaller.
const WORTH_COMPRESSING: usize = 256;

/// A data key, and the header of the values that it encrypts, without the nonce.
pub(super) struct SealingKey {
    pub key: DataKey,
    pub prefix: Vec<u8>,
}

/// Encrypts the body of a record. Fails only if the operating system provides no random bytes.
pub(super) fn seal(key: &SealingKey, thread: &ThreadId, record: &Record) -> Result<Vec<u8>, Unspecified> {
    let packed = pack::pack(&record.body, WORTH_COMPRESSING);
    let prk = Prk::new_less_safe(HKDF_SHA256, key.key.bytes());
    let nonce = draw(&prk, &associated(&key.prefix, thread, record), &packed)?;
    let header = [&key.prefix[..], &nonce].concat();
    let associated = associated(&header, thread, record);

    let start = header.len();
    let mut value = header;
    value.reserve_exact(packed.len() + AES_256_GCM.tag_len());
    value.extend(packed);
    let tag = one_time(&prk, &nonce)?.seal_in_place_separate_tag(
        at_zero(),
        Aad::from(associated),
        &mut value[start..],
    )?;
    value.extend(tag.as_ref());
    Ok(value)
}

/// Decrypts the body of a record, or returns `None` if [`seal`] did not produce this value for this record of this
/// thread.
pub(super) fn open(
    key: &DataKey,
    header: &Header<'_>,
    ciphertext: &[u8],
    thread: &ThreadId,
    record: &Record,
) -> Option<Vec<u8>> {
    let prk = Prk::new_less_safe(HKDF_SHA256, key.bytes());
    let associated = associated(header.bytes, thread, record);
    let mut packed = ciphertext.to_vec();
    let packed = one_time(&prk, header.nonce)
        .and_then(|key| key.open_in_place(at_zero(), Aad::from(associated), &mut packed))
        .ok()?;
    pack::unpack(packed)
}

/// Returns the associated data, which is not part of the value and must be unchanged: the header, the kind of value,
/// the thread, and all other fields of the record.
fn associated(header: &[u8], thread: &ThreadId, record: &Record) -> Vec<u8> {
    const KIND: &[u8] = b"entry";
    let name = thread.as_str().as_bytes();
    [
        header,
        KIND,
        &record.place.to_be_bytes(),
        &[u8::from(record.snapshot)],
        record.hash.as_bytes(),
        &(name.len() as u64).to_be_bytes(),
        name,
    ]
    .concat()
}

fn draw(prk: &Prk, associated: &[u8], packed: &[u8]) -> Result<Nonce, Unspecified> {
    let mut drawn: Nonce = [0; 32];
    getrandom::fill(&mut drawn).map_err(|_| Unspecified)?;
    mix(prk, &drawn, associated, packed)
}

fn mix(prk: &Prk, drawn: &Nonce, associated: &[u8], packed: &[u8]) -> Result<Nonce, Unspecified> {
    let key = hmac::Key::from(prk.expand(&[b"hitl nonce"], HMAC_SHA256)?);
    let mut all = hmac::Context::with_key(&key);
    [drawn, associated, packed].iter().for_each(|part| all.update(part));
    all.sign().as_ref().try_into().map_err(|_| Unspecified)
}

fn one_time(prk: &Prk, nonce: &Nonce) -> Result<LessSafeKey, Unspecified> {
    Ok(LessSafeKey::new(prk.expand(&[b"hitl value", nonce], &AES_256_GCM)?.into()))
}

fn at_zero() -> GcmNonce {
    GcmNonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::header, *};
    use crate::Digest;

    fn key() -> SealingKey {
        let key = DataKey::new((0..32).collect()).unwrap();
        SealingKey { key, prefix: header::prefix("vault", b"wrapped", "{}").unwrap() }
    }

    fn thread(name: &str) -> ThreadId {
        ThreadId::new(name).unwrap()
    }

    fn record(place: u64, body: &[u8]) -> Record {
        Record { place, hash: Digest::of(body), body: body.to_vec(), snapshot: false }
    }

    fn opened(value: &[u8], thread: &ThreadId, record: &Record) -> Option<Vec<u8>> {
        let header::Found::Sealed(header, ciphertext) = header::read(value) else { return None };
        open(&key().key, &header, ciphertext, thread, record)
    }

    #[test]
    fn a_value_opens_where_it_was_sealed_and_nowhere_else() {
        let (mine, other) = (thread("ticket-A-9133"), thread("ticket-A-9134"));
        let sealed = record(3, b"the draft");
        let value = seal(&key(), &mine, &sealed).unwrap();
        assert_eq!(opened(&value, &mine, &sealed).as_deref(), Some(&b"the draft"[..]));

        assert_eq!(opened(&value, &other, &sealed), None, "another thread");
        assert_eq!(opened(&value, &mine, &Record { place: 4, ..sealed.clone() }), None, "another place");
        assert_eq!(opened(&value, &mine, &Record { snapshot: true, ..sealed.clone() }), None, "a snapshot");
        let hash = Digest::of(b"another");
        assert_eq!(opened(&value, &mine, &Record { hash, ..sealed.clone() }), None, "another hash");
    }

    #[test]
    fn every_bit_of_a_value_counts() {
        let (thread, sealed) = (thread("ticket-A-9133"), record(3, b"the draft"));
        let value = seal(&key(), &thread, &sealed).unwrap();
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&flipped, &thread, &sealed), None, "bit {bit}");
        }
        for end in 0..value.len() {
            assert_eq!(opened(&value[..end], &thread, &sealed), None, "the first {end} bytes");
        }
        assert_eq!(opened(&[&value[..], b"x"].concat(), &thread, &sealed), None, "a byte more");
    }

    /// The kernel of a copied machine may give two processes the same random bytes.
    #[test]
    fn the_same_draw_gives_another_nonce_for_another_value() {
        let prk = Prk::new_less_safe(HKDF_SHA256, key().key.bytes());
        let nonce = |thread: &str, place, body: &[u8]| {
            // The hash would differ too, but the nonce must not rely on it, because it comes from the caller.
            let record = Record { hash: Digest::of(b""), ..record(place, body) };
            let thread = ThreadId::new(thread).unwrap();
            mix(&prk, &[9; 32], &associated(&key().prefix, &thread, &record), body).unwrap()
        };
        let nonces = [nonce("a", 0, b"x"), nonce("a", 0, b"y"), nonce("a", 1, b"x"), nonce("b", 0, b"x")];
        assert!((0..4).all(|i| !nonces[i + 1..].contains(&nonces[i])), "{nonces:?}");
        // Equal inputs give equal bytes, so still no key encrypts two different values.
        assert_eq!(nonce("a", 0, b"x"), nonces[0]);
    }

    #[test]
    fn the_same_value_is_never_sealed_twice_alike() {
        let (thread, sealed) = (thread("ticket-A-9133"), record(3, b"the draft"));
        let values: std::collections::BTreeSet<_> =
            (0..100).map(|_| seal(&key(), &thread, &sealed).unwrap()).collect();
        assert_eq!(values.len(), 100);
    }

    /// The growth that the module documentation states.
    #[test]
    fn a_value_grows_by_its_header_a_byte_and_its_tag() {
        let value = seal(&key(), &thread("t"), &record(0, b"{}")).unwrap();
        assert_eq!(value.len(), key().prefix.len() + 32 + 1 + 2 + 16);
        let long = seal(&key(), &thread("t"), &record(0, &[b'x'; 5_000])).unwrap();
        assert!(long.len() < 200, "it is compressed before it is sealed: {}", long.len());
    }
}
