use std::env;

/// What is measured, and gives a line for each figure.
pub(crate) type Measure = fn() -> Vec<String>;

/// Runs those whose names are arguments, or all of them, and prints the figures last.
pub(crate) fn run(measures: &[(&str, Measure)]) {
    let wanted: Vec<String> = env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let mut lines = Vec::new();
    for (name, measure) in measures {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            lines.extend(measure());
        }
    }
    println!();
    for line in lines {
        println!("{line}");
    }
}
