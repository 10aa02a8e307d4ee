//! Synthetic content that compresses about like real content, the same in every run.
//!
//! Text: lines of pseudo-words, indented, from a vocabulary in which few words are frequent and most are rare, as in
//! source code. Noise: bytes that do not compress, like compressed data.

/// How many words there are.
const VOCABULARY: usize = 4_096;

/// Pseudo-random numbers, the same in every run: xorshift64, by G. Marsaglia (2003).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        // The state must not be 0.
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

pub struct Text(Vec<String>);

impl Text {
    pub fn new() -> Self {
        const SYLLABLES: [&str; 16] = [
            "re", "con", "de", "in", "set", "get", "_", "er", "tion", "va", "lu", "ex", "port", "self.",
            "to", "path",
        ];
        let mut chance = Chance::new(1);
        let word = |_| (0..=chance.below(4)).map(|_| SYLLABLES[chance.below(SYLLABLES.len())]).collect();
        Text((0..VOCABULARY).map(word).collect())
    }

    /// Appends `bytes` bytes of text.
    pub fn push(&self, chance: &mut Chance, bytes: usize, out: &mut Vec<u8>) {
        let end = out.len() + bytes;
        while out.len() < end {
            out.resize(out.len() + 4 * chance.below(4), b' ');
            for _ in 0..2 + chance.below(8) {
                // The product of two random numbers: small numbers are frequent.
                let most = 1 + chance.below(VOCABULARY);
                out.extend_from_slice(self.0[chance.below(most)].as_bytes());
                out.push(b" (.,"[chance.below(4)]);
            }
            out.push(b'\n');
        }
        out.truncate(end);
    }
}

/// Appends `bytes` bytes of noise.
pub fn push_noise(chance: &mut Chance, bytes: usize, out: &mut Vec<u8>) {
    let end = out.len() + bytes;
    while out.len() < end {
        out.extend_from_slice(&chance.next().to_le_bytes());
    }
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(bytes: &[u8]) -> f64 {
        let compressed = zstd::bulk::compress(bytes, 3).unwrap();
        f64::from(bytes.len() as u32) / f64::from(compressed.len() as u32)
    }

    #[test]
    fn text_compresses_as_source_code_does_and_noise_does_not() {
        let (mut text, mut noise) = (Vec::new(), Vec::new());
        Text::new().push(&mut Chance::new(7), 1 << 20, &mut text);
        push_noise(&mut Chance::new(7), 1 << 20, &mut noise);
        assert_eq!((text.len(), noise.len()), (1 << 20, 1 << 20));
        assert!((2.0..5.0).contains(&ratio(&text)), "{}", ratio(&text));
        assert!((0.99..1.01).contains(&ratio(&noise)), "{}", ratio(&noise));
    }

    #[test]
    fn the_same_seed_gives_the_same_text() {
        let text = |seed| {
            let mut out = Vec::new();
            Text::new().push(&mut Chance::new(seed), 4_096, &mut out);
            out
        };
        assert_eq!(text(3), text(3));
        assert_ne!(text(3), text(5));
    }
}
