//! SipHash-2-4 with 128 bits (Aumasson and Bernstein): keys stand in the offset map by their hash alone, so nobody who may choose keys must
//! find two with the same one. The hash key is drawn anew for every pass. Pure.

/// A record key's hash.
pub type KeyHash = [u64; 2];

#[derive(Clone, Copy, Debug)]
pub struct KeyHasher {
    keys: [u64; 2],
}

impl KeyHasher {
    pub fn new(keys: [u64; 2]) -> KeyHasher {
        KeyHasher { keys }
    }

    pub fn hash(&self, bytes: &[u8]) -> KeyHash {
        let [k0, k1] = self.keys;
        let mut state =
            State([k0 ^ 0x736f_6d65_7073_6575, k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee, k0 ^ 0x6c79_6765_6e65_7261, k1 ^ 0x7465_6462_7974_6573]);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| state.absorb(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[7] = bytes.len() as u8;
        state.absorb(u64::from_le_bytes(last));
        state.0[2] ^= 0xee;
        let low = state.finish();
        state.0[1] ^= 0xdd;
        [low, state.finish()]
    }
}

struct State([u64; 4]);

impl State {
    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn finish(&mut self) -> u64 {
        (0..4).for_each(|_| self.round());
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of the reference implementation's vectors: key 00..0f, messages of 0, 1 and 2 bytes 00, 01.
    #[test]
    fn hashes_are_the_references() {
        let keys = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let expected: [u128; 3] = [
            0xa381_7f04_ba25_a8e6_6df6_7214_c755_0293,
            0xda87_c1d8_6b99_af44_3476_5911_9b22_fc45,
            0x8177_228d_a4a4_5dc7_fca3_8bde_f60a_ffe4,
        ];
        for (len, expected) in expected.into_iter().enumerate() {
            let message: Vec<u8> = (0..len as u8).collect();
            let [low, high] = KeyHasher::new(keys).hash(&message);
            assert_eq!([low.to_le_bytes(), high.to_le_bytes()].concat(), expected.to_be_bytes(), "{len} bytes");
        }
    }

    #[test]
    fn every_byte_and_the_length_count() {
        let hasher = KeyHasher::new([1, 2]);
        let mut seen: Vec<KeyHash> = (0..40).map(|len| hasher.hash(&vec![0; len])).collect();
        for at in 0..40 {
            let mut key = vec![0; 40];
            key[at] = 1;
            seen.push(hasher.hash(&key));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 80);
    }
}
