use tokio::time::Instant;

/// What a request carries of the call that it belongs to.
///
/// [`Attempt::default`] is that of a request of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    number: Option<u32>,
    deadline: Option<Instant>,
}

impl Attempt {
    /// The same, as the attempt of this number: 1 for the first.
    #[must_use]
    pub fn with_number(self, number: u32) -> Self {
        let number = Some(number);
        Self { number, ..self }
    }

    /// The same, to be answered by then.
    #[must_use]
    pub fn with_deadline(self, deadline: Instant) -> Self {
        let deadline = Some(deadline);
        Self { deadline, ..self }
    }

    /// Which attempt it is, 1 for the first; `None` where no retry layer stands above.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    /// When its caller stops waiting; `None` where no deadline layer stands above.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
