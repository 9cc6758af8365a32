use std::collections::VecDeque;

use bytes::Bytes;

/// Datagrams received and not yet read: bounded, the oldest gives way.
///
/// Each comes as a part of what quinn has received at once. Behind the first few they are copied
/// out of that, or a few bytes here and there would hold all of it.
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
        let behind = self.queue.len() >= AS_RECEIVED;
        self.queue.push_back(match behind {
            true => Bytes::copy_from_slice(&datagram),
            false => datagram,
        });
        full
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.queue.pop_front()
    }

    pub(crate) fn clear(&mut self) {
        self.queue = VecDeque::new();
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// How many wait as they were received: about as many as arrive at once for a reader who keeps up.
const AS_RECEIVED: usize = 8;

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

    #[test]
    fn what_waits_behind_others_holds_nothing_of_what_arrived_with_it() {
        let mut datagrams = Datagrams::new(100);
        let arrived: Vec<_> = (0..100).map(|_| Bytes::from(vec![7; 60_000])).collect();

        for arrived in &arrived {
            datagrams.push(arrived.slice(..1));
        }

        let held = arrived.iter().filter(|arrived| !arrived.is_unique());
        assert_eq!(held.count(), AS_RECEIVED);
    }

    #[test]
    fn a_reader_who_keeps_up_gets_datagrams_as_they_arrived() {
        let mut datagrams = Datagrams::new(100);
        let arrived = Bytes::from(vec![7; 1000]);

        for start in 0..100 {
            datagrams.push(arrived.slice(start..));

            assert_eq!(datagrams.pop().unwrap().as_ptr(), arrived[start..].as_ptr());
        }
    }
}
