//! The content of a row of open reviews. It lacks the thread and the opening time, which are in the key, so that a page of
//! a list costs few read units.

use super::{item::Item, key::SK};
use crate::{
    Digest, ThreadId, Timestamp,
    store::{OpenReview, compression::decompress},
};

/// The first byte. A row of the old layout is JSON, and begins with another one.
const FORMAT_VERSION: u8 = 2;

/// The length that stands for an absent text.
const ABSENT: u32 = u32::MAX;

/// Encodes the reviews of one row.
pub(super) fn encode<'a>(reviews: impl Iterator<Item = &'a OpenReview>) -> Vec<u8> {
    let mut bytes = vec![FORMAT_VERSION];
    for review in reviews {
        bytes.extend_from_slice(review.digest.as_bytes());
        put_number(&mut bytes, review.place.get());
        put_number(&mut bytes, u64::from(review.deadline.is_some()));
        put_number(&mut bytes, review.deadline.map_or(0, Timestamp::as_millis));
        put_text(&mut bytes, Some(&review.graph));
        put_text(&mut bytes, Some(&review.node));
        put_text(&mut bytes, review.role.as_deref());
    }
    bytes
}

/// Decodes the reviews of a row, in the order of the pages; `None` if the row is damaged.
pub(super) fn read(row: &Item) -> Option<Vec<OpenReview>> {
    let bytes = decompress(row.get_bytes("reviews")?)?;
    let Some((&FORMAT_VERSION, mut rest)) = bytes.split_first() else {
        return serde_json::from_slice(&bytes).ok();
    };
    let (opened, after) = row.get_text(SK)?.split_once('/')?;
    let (thread, _) = after.rsplit_once('/')?;
    let opened = Timestamp::from_millis(u64::from_str_radix(opened, 16).ok()?);
    let thread = ThreadId::existing(thread).ok()?;
    let mut reviews = Vec::new();
    while !rest.is_empty() {
        let (digest, after) = rest.split_first_chunk()?;
        rest = after;
        let (place, has_deadline) = (take_number(&mut rest)?, take_number(&mut rest)? == 1);
        let deadline = Timestamp::from_millis(take_number(&mut rest)?);
        let (graph, node) = (take_text(&mut rest)??, take_text(&mut rest)??);
        let role = take_text(&mut rest)?;
        let digest = Digest::from_bytes(*digest);
        reviews.push(
            OpenReview::new(thread.clone(), graph, node, digest, place, opened)
                .with_role(role)
                .with_deadline(has_deadline.then_some(deadline)),
        );
    }
    Some(reviews)
}

/// Writes a number in as few bytes as it needs, after their count.
fn put_number(bytes: &mut Vec<u8>, number: u64) {
    let all = number.to_be_bytes();
    let zeros = all.iter().take_while(|byte| **byte == 0).count();
    let used = all.get(zeros..).unwrap_or_default();
    bytes.push(u8::try_from(used.len()).unwrap_or(8));
    bytes.extend_from_slice(used);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let (count, rest) = bytes.split_first()?;
    let (used, rest) = rest.split_at_checked(usize::from(*count))?;
    let mut all = [0; 8];
    all.get_mut(8_usize.checked_sub(used.len())?..)?.copy_from_slice(used);
    *bytes = rest;
    Some(u64::from_be_bytes(all))
}

/// Writes a text after its length. No row that is accepted has a text of [`ABSENT`] bytes.
fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    let length = text.map_or(ABSENT, |text| u32::try_from(text.len()).unwrap_or(ABSENT));
    put_number(bytes, u64::from(length));
    bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// Takes a text; the inner `None` is an absent one.
fn take_text(bytes: &mut &[u8]) -> Option<Option<String>> {
    let length = take_number(bytes)?;
    if length == u64::from(ABSENT) {
        return Some(None);
    }
    let (text, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(Some(std::str::from_utf8(text).ok()?.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::compression::compress;

    fn reviews() -> Vec<OpenReview> {
        let review = OpenReview::new(
            ThreadId::new("a/b 1").unwrap(),
            "Gräph",
            "n",
            Digest::of(b""),
            0,
            Timestamp::from_millis(0x1f),
        )
        .with_deadline(Some(Timestamp::MAX));
        let mut other = review.clone().with_role(Some(String::new())).with_deadline(None);
        other.place = u64::MAX.into();
        vec![review, other]
    }

    fn row(content: &[u8]) -> Item {
        Item::default()
            .text(SK, "000000000000001f/a/b 1/0000000000000000")
            .bytes("reviews", compress(content, 1_000))
    }

    #[test]
    fn a_row_round_trips_and_a_row_of_the_old_layout_is_read() {
        assert_eq!(read(&row(&encode(reviews().iter()))), Some(reviews()));
        assert_eq!(read(&row(&serde_json::to_vec(&reviews()).unwrap())), Some(reviews()));
    }

    #[test]
    fn a_truncated_row_is_rejected() {
        let one = encode(reviews()[..1].iter()).len();
        let whole = encode(reviews().iter());
        for cut in (0..whole.len()).filter(|cut| ![1, one].contains(cut)) {
            assert_eq!(read(&row(&whole[..cut])), None, "{cut}");
        }
    }
}
