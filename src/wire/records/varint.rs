//! Variable-length integers as records hold them: zigzag, seven bits a byte, lowest first.

/// Longest encodings, in bytes.
pub(super) const VARINT_SIZE_MAX: u32 = 5;
pub(super) const VARLONG_SIZE_MAX: u32 = 10;

/// Bits of the last byte that do not fit are dropped, as Apache Kafka does.
pub(super) fn unzigzag32(raw: u64) -> i32 {
    let raw = raw as u32;
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

pub(super) fn unzigzag64(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

/// Reads a 32-bit one from the front of `bytes`; `None` if it is cut or longer than five bytes.
#[inline]
pub(super) fn read32(bytes: &mut &[u8]) -> Option<i32> {
    read_raw(bytes, VARINT_SIZE_MAX).map(unzigzag32)
}

/// Reads a 64-bit one from the front of `bytes`; `None` if it is cut or longer than ten bytes.
#[inline]
pub(super) fn read64(bytes: &mut &[u8]) -> Option<i64> {
    read_raw(bytes, VARLONG_SIZE_MAX).map(unzigzag64)
}

#[inline]
fn read_raw(bytes: &mut &[u8], size_max: u32) -> Option<u64> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut raw = u64::from(first & 0x7f);
    let mut last = first;
    for place in 1..size_max {
        if last & 0x80 == 0 {
            break;
        }
        (last, rest) = rest.split_first().map(|(&byte, rest)| (byte, rest))?;
        raw |= u64::from(last & 0x7f) << (7 * place);
    }
    *bytes = rest;
    (last & 0x80 == 0).then_some(raw)
}

pub(super) fn write32(out: &mut Vec<u8>, value: i32) {
    write_raw(out, u64::from((value << 1 ^ value >> 31) as u32));
}

pub(super) fn write64(out: &mut Vec<u8>, value: i64) {
    write_raw(out, (value << 1 ^ value >> 63) as u64);
}

fn write_raw(out: &mut Vec<u8>, mut raw: u64) {
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_round_trip(wide: i64, shift in 0u32..64) {
            let wide = wide >> shift;
            let mut bytes = Vec::new();
            write64(&mut bytes, wide);
            prop_assert_eq!(read64(&mut &bytes[..]), Some(wide));
            prop_assert!((0..bytes.len()).all(|cut| read64(&mut &bytes[..cut]).is_none()));

            let narrow = wide as i32;
            bytes.clear();
            write32(&mut bytes, narrow);
            prop_assert_eq!(read32(&mut &bytes[..]), Some(narrow));
        }
    }

    #[test]
    fn overlong_ones_are_refused() {
        assert_eq!(read32(&mut &[0xff, 0xff, 0xff, 0xff, 0x0f][..]), Some(i32::MIN));
        assert_eq!(read32(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0][..]), None);
        assert_eq!(read64(&mut &[0x80; 11][..]), None);
        let mut rest = &[2, 9][..];
        assert_eq!((read32(&mut rest), rest), (Some(1), &[9][..]));
    }
}
