//! The encoding of the entries of one append.

use crate::{
    Digest, Place,
    journal::link,
    store::{
        OpenReview, Record,
        compression::{compress, decompress},
    },
};

/// The first byte, which identifies the format. Version 1 contains every hash.
const FORMAT_VERSION: u8 = 2;

/// The flags of a record: it contains a snapshot; its hash is omitted, because it is that of the chain.
const SNAPSHOT: u8 = 1;
const CHAINED: u8 = 2;

/// The maximum size of a record without its body, in bytes: its flags, its hash, and the length of its body.
const RECORD_HEADER: usize = 1 + 32 + LENGTH;

/// The size of a length, in bytes.
const LENGTH: usize = size_of::<u32>();

/// The content of one append.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    /// All reviews that are open after the entries, if the update of their rows was deferred.
    pub(super) reviews: Option<Vec<OpenReview>>,
}

/// Encodes a batch, and compresses it from `compressed_from` bytes on.
pub(super) fn encode(records: &[Record], reviews: Option<&[OpenReview]>, compressed_from: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + LENGTH + size(records));
    bytes.push(FORMAT_VERSION);
    put_length(&mut bytes, records.len());
    let mut before = None;
    for record in records {
        let is_chained = before.is_some_and(|before| link(before, &record.body) == record.hash);
        bytes.push(if record.snapshot { SNAPSHOT } else { 0 } | if is_chained { CHAINED } else { 0 });
        if !is_chained {
            bytes.extend_from_slice(record.hash.as_bytes());
        }
        before = Some(record.hash);
        put_length(&mut bytes, record.body.len());
        bytes.extend_from_slice(&record.body);
    }
    if let Some(reviews) = reviews {
        // Plain data, which serde_json can always serialize.
        bytes.extend_from_slice(&serde_json::to_vec(reviews).unwrap_or_default());
    }
    compress(&bytes, compressed_from)
}

/// Decodes the batch whose last entry has the place `last`; `None` if [`encode`] did not encode these bytes.
pub(super) fn decode(bytes: &[u8], last: Place) -> Option<Batch> {
    let bytes = decompress(bytes)?;
    let (&(1..=FORMAT_VERSION), mut rest) = bytes.split_first()? else { return None };
    let count = take_length(&mut rest)?;
    let first = last.checked_add(1)?.checked_sub(count as u64)?;
    let mut before = None;
    let records = (first.get()..=last.get())
        .map(|place| {
            let (&flags, after) = rest.split_first()?;
            rest = after;
            if flags & !(SNAPSHOT | CHAINED) != 0 {
                return None;
            }
            let stored = match flags & CHAINED {
                0 => Some(Digest::from_bytes(*take_chunk(&mut rest)?)),
                _ => None,
            };
            let length = take_length(&mut rest)?;
            let (body, after) = rest.split_at_checked(length)?;
            rest = after;
            let hash = match stored {
                Some(hash) => hash,
                None => link(before?, body),
            };
            before = Some(hash);
            Some(Record::new(place, hash, body.to_vec()).with_snapshot(flags & SNAPSHOT != 0))
        })
        .collect::<Option<Vec<_>>>()?;
    let reviews = if rest.is_empty() { None } else { Some(serde_json::from_slice(rest).ok()?) };
    Some(Batch { records, reviews })
}

/// Returns the size of the entries in bytes before compression.
pub(super) fn size(records: &[Record]) -> usize {
    records.iter().map(|record| RECORD_HEADER + record.body.len()).sum()
}

/// Writes a length. No append that is accepted has one above `u32::MAX`.
fn put_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(*take_chunk(bytes)?)).ok()
}

fn take_chunk<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (chunk, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(chunk)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::item::MIN_COMPRESSED_BYTES, *};
    use crate::{ThreadId, Timestamp};

    fn sample() -> (Vec<Record>, Vec<OpenReview>) {
        let record = |place, body: &[u8]| {
            Record::new(place, Digest::of(body), body.to_vec()).with_snapshot(place == 4)
        };
        let review = OpenReview::new(
            ThreadId::new("t").unwrap(),
            "G",
            "n",
            Digest::of(b""),
            4,
            Timestamp::from_millis(1),
        )
        .with_deadline(Some(Timestamp::from_millis(2)));
        (vec![record(3, b""), record(4, &[7; 3_000]), record(5, b"{}")], vec![review])
    }

    #[test]
    fn a_batch_round_trips() {
        let (records, reviews) = sample();
        for reviews in [None, Some(reviews)] {
            let bytes = encode(&records, reviews.as_deref(), MIN_COMPRESSED_BYTES);
            assert_eq!(decode(&bytes, Place::new(5)), Some(Batch { records: records.clone(), reviews }));
        }
    }

    /// The entries of a journal have the hashes of a chain, of which only the first is stored.
    #[test]
    fn hashes_of_a_chain_are_omitted() {
        let (mut records, _) = sample();
        let without_chain = encode(&records, None, usize::MAX);
        for at in 1..records.len() {
            records[at].hash = link(records[at - 1].hash, &records[at].body);
        }
        let bytes = encode(&records, None, usize::MAX);
        assert_eq!(without_chain.len() - bytes.len(), 2 * size_of::<Digest>());
        assert_eq!(decode(&bytes, Place::new(5)).unwrap().records, records);
        records[1].body[0] ^= 1;
        let changed = decode(&encode(&records, None, usize::MAX), 5.into()).unwrap().records;
        assert_eq!(changed, records, "a hash that is not that of the chain is stored");
        // A batch cannot begin with a hash that is omitted.
        let mut headless = bytes;
        headless[1 + 1 + LENGTH] |= CHAINED;
        assert_eq!(decode(&headless, 5.into()), None);
    }

    /// A batch of version 1, as the old layout has it.
    #[test]
    fn a_batch_of_version_1_is_read() {
        let (records, _) = sample();
        let mut bytes = decompress(&encode(&records, None, MIN_COMPRESSED_BYTES)).unwrap();
        bytes[0] = 1;
        assert_eq!(decode(&compress(&bytes, MIN_COMPRESSED_BYTES), 5.into()).unwrap().records, records);
    }

    #[test]
    fn a_truncated_or_changed_batch_is_rejected_without_a_panic() {
        let (records, reviews) = sample();
        let whole = decompress(&encode(&records, Some(&reviews), MIN_COMPRESSED_BYTES)).unwrap();
        let end_of_entries = decompress(&encode(&records, None, MIN_COMPRESSED_BYTES)).unwrap().len();
        for cut in (0..whole.len()).filter(|cut| *cut != end_of_entries) {
            assert_eq!(decode(&compress(&whole[..cut], MIN_COMPRESSED_BYTES), 5.into()), None, "{cut}");
        }
        assert_eq!(
            decode(&compress(&whole, MIN_COMPRESSED_BYTES), 1.into()),
            None,
            "three entries do not fit under place 1"
        );
        for at in 0..80 {
            let mut changed = whole.clone();
            changed[at] ^= 0x81;
            let _ = decode(&compress(&changed, MIN_COMPRESSED_BYTES), 5.into());
        }
    }
}
