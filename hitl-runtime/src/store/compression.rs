//! Optional compression: bytes are kept as they are, or compressed with zstd if that makes them smaller.

/// The largest input that is compressed, in bytes. Packed bytes that declare a larger length were not written here.
const MAX_LENGTH: usize = 32 * 1024 * 1024;

const UNCOMPRESSED: u8 = 0;
const ZSTD: u8 = 1;

/// Returns a format byte and the bytes, compressed if that makes them smaller. Fewer than `from` bytes are not
/// compressed.
pub(super) fn compress(bytes: &[u8], from: usize) -> Vec<u8> {
    let small = (from..=MAX_LENGTH)
        .contains(&bytes.len())
        .then(|| zstd::bulk::compress(bytes, zstd::DEFAULT_COMPRESSION_LEVEL));
    match (small, u32::try_from(bytes.len())) {
        (Some(Ok(small)), Ok(length)) if small.len() + 4 < bytes.len() => {
            [&[ZSTD], &length.to_be_bytes()[..], &small].concat()
        }
        _ => [&[UNCOMPRESSED], bytes].concat(),
    }
}

/// Returns the input of [`compress`], or `None` if `compress` did not write these bytes.
pub(super) fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    match bytes.split_first()? {
        (&UNCOMPRESSED, bytes) => Some(bytes.to_vec()),
        (&ZSTD, rest) => {
            let (length, small) = rest.split_first_chunk()?;
            let length =
                usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= MAX_LENGTH)?;
            zstd::bulk::decompress(small, length).ok().filter(|bytes| bytes.len() == length)
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn packed_bytes_round_trip_with_at_most_one_byte_more() {
        let noise: Vec<u8> = (0..5_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let x = |size| vec![b'x'; size];
        for bytes in [vec![], b"{}".to_vec(), x(255), x(256), x(MAX_LENGTH), x(MAX_LENGTH + 1), noise] {
            let packed = compress(&bytes, 256);
            assert!(packed.len() <= bytes.len() + 1);
            assert!(decompress(&packed).unwrap() == bytes);
        }
        assert!(compress(&x(256), 256).len() < 100 && compress(&x(255), 256).len() == 256);
    }

    #[test]
    fn bytes_that_were_not_packed_are_rejected() {
        let packed = compress(&[b'x'; 2_000], 256);
        let claims_too_much = [&[ZSTD], &u32::MAX.to_be_bytes()[..], &packed[5..]].concat();
        let claims_too_little = [&[ZSTD], &1_999_u32.to_be_bytes()[..], &packed[5..]].concat();
        for damaged in [&[][..], &[2, 1], &packed[..20], &[ZSTD, 0], &claims_too_much, &claims_too_little] {
            assert_eq!(decompress(damaged), None);
        }
    }
}
