use std::collections::VecDeque;

/// Who came when; nobody is served before an older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn(u64);

/// One who waits for a connection.
#[derive(Debug)]
pub(crate) struct Waiter<W> {
    pub(crate) turn: Turn,
    /// Keeps its place when a connect fails.
    pub(crate) patient: bool,
    pub(crate) seat: W,
}

/// Those who wait, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Line<W> {
    waiters: VecDeque<Waiter<W>>,
    next: u64,
}

impl<W> Line<W> {
    pub(crate) fn new() -> Self {
        Self {
            waiters: VecDeque::new(),
            next: 0,
        }
    }

    pub(crate) fn turn(&mut self) -> Turn {
        self.next += 1;
        Turn(self.next)
    }

    /// Puts one where its turn belongs: one who comes back stands where it stood.
    pub(crate) fn join(&mut self, waiter: Waiter<W>) {
        let behind = |other: &Waiter<W>| other.turn > waiter.turn;
        if self.waiters.back().is_some_and(behind) {
            let place = self.place(waiter.turn);
            self.waiters.insert(place, waiter);
        } else {
            self.waiters.push_back(waiter);
        }
    }

    pub(crate) fn leave(&mut self, turn: Turn) -> Option<Waiter<W>> {
        let place = self.place(turn);
        let found = self.waiters.get(place)?.turn == turn;
        found.then(|| self.waiters.remove(place)).flatten()
    }

    pub(crate) fn first(&self) -> Option<Turn> {
        self.waiters.front().map(|first| first.turn)
    }

    pub(crate) fn pop(&mut self) -> Option<Waiter<W>> {
        self.waiters.pop_front()
    }

    pub(crate) fn take_impatient(&mut self) -> Vec<Waiter<W>> {
        let (patient, impatient): (VecDeque<_>, VecDeque<_>) =
            self.waiters.drain(..).partition(|waiter| waiter.patient);
        self.waiters = patient;
        impatient.into()
    }

    pub(crate) fn take_all(&mut self) -> Vec<Waiter<W>> {
        std::mem::take(&mut self.waiters).into()
    }

    /// Says whether anybody waits who came before this one.
    pub(crate) fn is_before(&self, turn: Turn) -> bool {
        self.waiters.front().is_some_and(|first| first.turn < turn)
    }

    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    fn place(&self, turn: Turn) -> usize {
        self.waiters.partition_point(|waiter| waiter.turn < turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_come_is_the_first_to_go() {
        let (mut line, _) = line_of([false; 3]);

        assert_eq!(seats(line.take_all()), [0, 1, 2]);
    }

    #[test]
    fn one_who_comes_back_stands_where_it_stood() {
        let (mut line, _) = line_of([false; 3]);
        let (first, second) = (line.pop().unwrap(), line.pop().unwrap());

        line.join(second);
        line.join(first);

        assert_eq!(seats(line.take_all()), [0, 1, 2]);
    }

    #[test]
    fn one_who_leaves_is_gone_and_no_other() {
        let (mut line, turns) = line_of([false; 3]);

        assert!(line.leave(turns[1]).is_some());
        assert!(line.leave(turns[1]).is_none());

        assert_eq!(seats(line.take_all()), [0, 2]);
    }

    #[test]
    fn the_patient_keep_their_places() {
        let (mut line, _) = line_of([false, true, false, true]);

        assert_eq!(seats(line.take_impatient()), [0, 2]);

        assert_eq!(seats(line.take_all()), [1, 3]);
    }

    #[test]
    fn a_newcomer_is_behind_whoever_waits() {
        let (mut line, turns) = line_of([false]);
        let newcomer = line.turn();

        assert!(line.is_before(newcomer));
        assert!(!line.is_before(turns[0]));
    }

    fn line_of<const N: usize>(patient: [bool; N]) -> (Line<usize>, Vec<Turn>) {
        let mut line = Line::new();
        let mut turns = Vec::new();
        for (seat, patient) in patient.into_iter().enumerate() {
            let turn = line.turn();
            turns.push(turn);
            line.join(Waiter {
                turn,
                patient,
                seat,
            });
        }
        (line, turns)
    }

    fn seats(waiters: Vec<Waiter<usize>>) -> Vec<usize> {
        waiters.into_iter().map(|waiter| waiter.seat).collect()
    }
}
