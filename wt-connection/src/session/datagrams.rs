use std::collections::VecDeque;

use bytes::Bytes;

/// Datagrams received and not yet read: bounded, the oldest gives way.
#[derive(Debug)]
pub(crate) struct Datagrams {
    queue: VecDeque<Bytes>,
    limit: usize,
    dropped: u64,
}

impl Datagrams {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            limit,
            dropped: 0,
        }
    }

    /// Keeps a datagram, and says whether another gave way to it.
    pub(crate) fn push(&mut self, datagram: Bytes) -> bool {
        let full = self.queue.len() >= self.limit;
        if full {
            self.queue.pop_front();
            self.dropped += 1;
        }
        self.queue.push_back(datagram);
        full
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.queue.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.queue = VecDeque::new();
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_datagram_gives_way_and_is_counted() {
        let mut datagrams = Datagrams::new(2);

        for n in 0..5_u8 {
            datagrams.push(Bytes::copy_from_slice(&[n]));
        }

        assert_eq!(datagrams.dropped(), 3);
        assert_eq!(datagrams.pop().as_deref(), Some(&[3][..]));
        assert_eq!(datagrams.pop().as_deref(), Some(&[4][..]));
        assert_eq!(datagrams.pop(), None);
    }
}
