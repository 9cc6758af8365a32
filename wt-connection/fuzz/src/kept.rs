use std::fmt::Debug;

/// Counts the bytes that a reader keeps, by the byte strings in what it prints.
pub fn kept(reader: &impl Debug) -> usize {
    let printed = format!("{reader:?}");
    let mut chars = printed.chars();
    let mut inside = false;
    let mut kept = 0;
    while let Some(next) = chars.next() {
        match next {
            '"' => inside = !inside,
            '\\' if inside => {
                kept += 1;
                // A byte as `\x7f`, or one that has a letter.
                if chars.next() == Some('x') {
                    chars.nth(1);
                }
            }
            _ => kept += usize::from(inside),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn every_byte_counts_once() {
        let bytes: Bytes = (0..=u8::MAX).collect();

        assert_eq!(kept(&(&bytes, 7, Bytes::from_static(b"\"\\x"))), 256 + 3);
    }
}
