const ROUNDS: usize = 9;

/// What is measured, in nanoseconds for one call.
pub(crate) struct Subject<'a> {
    name: &'static str,
    measure: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(name: &'static str, measure: impl FnMut() -> f64 + 'a) -> Self {
        Self {
            name,
            measure: Box::new(measure),
        }
    }
}

/// The figures of each subject in each round.
pub(crate) struct Measured(Vec<Vec<f64>>);

impl Measured {
    /// The median over the rounds of the first subject's share of another's time.
    pub(crate) fn ratio(&self, anchor: usize) -> f64 {
        let pairs = self.0[0].iter().zip(&self.0[anchor]);
        let mut ratios: Vec<_> = pairs.map(|(ours, anchor)| ours / anchor).collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ROUNDS / 2]
    }
}

/// Measures each in turn, a different one first in each round, and prints a table.
pub(crate) fn measure(what: &str, subjects: &mut [Subject<'_>]) -> Measured {
    let mut figures = vec![Vec::new(); subjects.len()];
    for subject in subjects.iter_mut() {
        // Not counted: caches and the predictor settle.
        (subject.measure)();
    }
    for round in 0..ROUNDS {
        for turn in 0..subjects.len() {
            let place = (round + turn) % subjects.len();
            let figure = (subjects[place].measure)();
            figures[place].push(figure);
        }
    }
    println!("\n| {what} | ns, median of {ROUNDS} rounds | least | most |");
    println!("| --- | --- | --- | --- |");
    for (subject, figures) in subjects.iter().zip(&figures) {
        let mut sorted = figures.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (sorted[0], sorted[ROUNDS - 1]);
        let median = sorted[ROUNDS / 2];
        println!(
            "| {} | {median:.1} | {least:.1} | {most:.1} |",
            subject.name
        );
    }
    Measured(figures)
}
