use bytes::Bytes;

/// Lists ways to cut an input into pieces: not at all, everywhere, and by chance, which is the same
/// for the same input.
pub fn cuts(input: &[u8]) -> [Vec<Bytes>; 4] {
    let whole = pieces(input, || usize::MAX);
    let bytewise = pieces(input, || 1);
    let mut chance = Chance::of(input);
    let small = pieces(input, || 1 + chance.below(4));
    let large = pieces(input, || 1 + chance.below(64));
    [whole, bytewise, small, large]
}

/// Cuts an input into pieces of the lengths that `next` gives, none of which is 0.
pub fn pieces(mut input: &[u8], mut next: impl FnMut() -> usize) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    while !input.is_empty() {
        let (piece, rest) = input.split_at(next().min(input.len()));
        pieces.push(Bytes::copy_from_slice(piece));
        input = rest;
    }
    pieces
}

/// Numbers that look like chance (xorshift), begun with an input's hash (FNV-1a).
struct Chance(u64);

impl Chance {
    fn of(input: &[u8]) -> Self {
        let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        Self(input.iter().fold(0xcbf2_9ce4_8422_2325, hash) | 1)
    }

    fn below(&mut self, limit: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit) as usize
    }
}
