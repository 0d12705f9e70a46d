//! The encoding of the entries of one append.

use crate::{
    Digest,
    store::{
        OpenReview, Place, Record,
        compression::{compress, decompress},
    },
};

/// The first byte, which identifies the format.
const FORMAT_VERSION: u8 = 1;

/// The size of a record without its body, in bytes: its snapshot flag, its hash, and the length of its body.
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
    for record in records {
        bytes.push(u8::from(record.snapshot));
        bytes.extend_from_slice(record.hash.as_bytes());
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
    let (&FORMAT_VERSION, mut rest) = bytes.split_first()? else { return None };
    let count = take_length(&mut rest)?;
    let first = last.checked_add(1)?.checked_sub(count as Place)?;
    let records = (first..=last)
        .map(|place| {
            let (&[snapshot], after) = rest.split_first_chunk()?;
            let (hash, after) = after.split_first_chunk()?;
            rest = after;
            let length = take_length(&mut rest)?;
            let (body, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(Record {
                place,
                hash: Digest::from_bytes(*hash),
                body: body.to_vec(),
                snapshot: snapshot == 1,
            })
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
    let (length, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    usize::try_from(u32::from_be_bytes(*length)).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::item::MIN_COMPRESSED_BYTES, *};
    use crate::ThreadId;

    fn sample() -> (Vec<Record>, Vec<OpenReview>) {
        let record = |place, body: &[u8]| Record {
            place,
            hash: Digest::of(body),
            body: body.to_vec(),
            snapshot: place == 4,
        };
        let review = OpenReview {
            thread: ThreadId::new("t").unwrap(),
            graph: "G".into(),
            node: "n".into(),
            digest: Digest::of(b""),
            role: None,
            place: 4,
            opened_ms: 1,
            deadline_ms: Some(2),
        };
        (vec![record(3, b""), record(4, &[7; 3_000]), record(5, b"{}")], vec![review])
    }

    #[test]
    fn a_batch_round_trips() {
        let (records, reviews) = sample();
        for reviews in [None, Some(reviews)] {
            let bytes = encode(&records, reviews.as_deref(), MIN_COMPRESSED_BYTES);
            assert_eq!(decode(&bytes, 5), Some(Batch { records: records.clone(), reviews }));
        }
    }

    #[test]
    fn a_truncated_or_changed_batch_is_rejected_without_a_panic() {
        let (records, reviews) = sample();
        let whole = decompress(&encode(&records, Some(&reviews), MIN_COMPRESSED_BYTES)).unwrap();
        let end_of_entries = decompress(&encode(&records, None, MIN_COMPRESSED_BYTES)).unwrap().len();
        for cut in (0..whole.len()).filter(|cut| *cut != end_of_entries) {
            assert_eq!(decode(&compress(&whole[..cut], MIN_COMPRESSED_BYTES), 5), None, "{cut}");
        }
        assert_eq!(
            decode(&compress(&whole, MIN_COMPRESSED_BYTES), 1),
            None,
            "three entries do not fit under place 1"
        );
        for at in 0..80 {
            let mut changed = whole.clone();
            changed[at] ^= 0x81;
            let _ = decode(&compress(&changed, MIN_COMPRESSED_BYTES), 5);
        }
    }
}
