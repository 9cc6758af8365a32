//! Never are too many ejected, whatever happens; and when too many are out, all are used.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert, prop_oneof, proptest};

use crate::classify::Outcome;
use crate::combine::Combine;
use crate::event::Reason;
use crate::fleet::record::Weight;
use crate::fleet::trial::Trial;
use crate::fleet::{Actions, Change, Phase, Rules};
use crate::force::Override;
use crate::judge::Place;
use crate::outlier::Outlier;
use crate::probe;

/// Something that happens to one of the backends, or to all.
#[derive(Clone, Copy, Debug)]
enum Step {
    Fail(usize, u32),
    Succeed(usize, u32),
    Late(usize),
    Hold(usize),
    Release(usize),
    Force(usize, Option<Override>),
    Probe(usize, bool),
    Pass(u64),
    Sweep,
}

const BACKENDS: usize = 12;

fn steps() -> impl Strategy<Value = Step> {
    let backend = 0..BACKENDS;
    let force = prop_oneof![
        Just(None),
        Just(Some(Override::Up)),
        Just(Some(Override::Down)),
        Just(Some(Override::Drain)),
    ];
    prop_oneof![
        4 => (backend.clone(), 1..150_u32).prop_map(|(backend, calls)| Step::Fail(backend, calls)),
        2 => (backend.clone(), 1..150_u32).prop_map(|(backend, calls)| Step::Succeed(backend, calls)),
        1 => backend.clone().prop_map(Step::Late),
        1 => backend.clone().prop_map(Step::Hold),
        2 => backend.clone().prop_map(Step::Release),
        1 => (backend.clone(), force).prop_map(|(backend, force)| Step::Force(backend, force)),
        2 => (backend, proptest::bool::ANY).prop_map(|(backend, passes)| Step::Probe(backend, passes)),
        2 => (0..40_u64).prop_map(Step::Pass),
        2 => Just(Step::Sweep),
    ]
}

fn take(trial: &mut Trial, step: Step) {
    match step {
        Step::Fail(backend, calls) => trial.calls(backend, calls, Outcome::Failure),
        Step::Succeed(backend, calls) => trial.calls(backend, calls, Outcome::Success),
        Step::Late(backend) => {
            let epoch = trial.epoch(backend).wrapping_sub(1);
            trial.call_of(backend, epoch, Outcome::Failure);
        }
        Step::Hold(backend) => {
            if trial.fleet.get(trial.ids[backend]).is_some() {
                trial.hold(backend);
            }
        }
        Step::Release(backend) => trial.release(backend),
        Step::Force(backend, force) => trial.force(backend, force),
        Step::Probe(backend, passes) => {
            let record = trial.fleet.get(trial.ids[backend]);
            let due = record.and_then(|record| record.due);
            // Only if it is its turn.
            if due.is_some() && due == trial.fleet.probe_due() {
                trial.probe(backend, passes);
            }
        }
        Step::Pass(seconds) => trial.pass(Duration::from_secs(seconds)),
        Step::Sweep => trial.sweep(),
    }
}

/// The numbers of all, counted anew.
fn counted(trial: &Trial) -> Weight {
    let mut weight = Weight::default();
    for (_, record) in &trial.fleet.records {
        let one = record.weight(trial.fleet.rules.combine);
        weight.had += one.had;
        weight.ejected += one.ejected;
        weight.judged += one.judged;
        weight.out += one.out;
    }
    weight
}

fn combines() -> impl Strategy<Value = Combine> {
    prop_oneof![
        Just(Combine::PassiveEjectsActiveRestores),
        Just(Combine::EitherEjects),
        Just(Combine::BothEject),
    ]
}

proptest! {
    #[test]
    fn never_are_more_ejected_than_may_be(
        max_ejected in 0_u8..=100,
        combine in combines(),
        steps in vec(steps(), 1..200),
    ) {
        let rules = Rules {
            outlier: Outlier::default().max_ejected(max_ejected),
            combine,
            probes: Some(probe::Rules::default()),
            ..Rules::default()
        };
        let mut trial = Trial::new(rules, BACKENDS);

        for step in steps {
            let before = trial.fleet.weight.ejected;
            take(&mut trial, step);

            let weight = counted(&trial);
            prop_assert!(weight == trial.fleet.weight, "{step:?}: {weight:?}");
            let limit = match (max_ejected, weight.had) {
                (0, _) => 0,
                (percent, had) => (had * usize::from(percent) / 100).max(1),
            };
            prop_assert!(weight.ejected <= limit, "{step:?}: {weight:?}");
            // Nor for an instant, were another one let back in at once.
            let of_calls = |reason| !matches!(reason, Reason::Probes | Reason::Proof);
            let ejections = trial.ejections().into_iter();
            let new = ejections.filter(|(_, reason)| of_calls(*reason)).count();
            prop_assert!(new == 0 || before + new <= limit, "{step:?}: {before} and {new}");
            // Who is kept out is so for a reason.
            for (_, record) in &trial.fleet.records {
                let open = record.cell.gate().is_open();
                let well = matches!(record.phase, Phase::Up) && record.force.is_none();
                let down = combine == Combine::EitherEjects && record.standing.is_down();
                prop_assert!(open || !well || down, "{step:?}: {record:?}");
            }
            let panic = trial.fleet.rules.is_panic(weight.out, weight.judged);
            prop_assert!(trial.fleet.is_panic() == panic);
        }
    }
}

fn eject(trial: &mut Trial, backend: usize) {
    trial.calls(backend, 5, Outcome::Failure);
}

#[test]
fn of_three_that_fail_one_is_ejected_and_not_all() {
    let mut trial = Trial::new(Rules::default(), 3);

    (0..3).for_each(|backend| eject(&mut trial, backend));

    let ejected = [0, 1, 2].map(|backend| trial.is_ejected(backend));
    assert_eq!(ejected, [true, false, false]);
    assert_eq!(trial.ejections(), [(0, Reason::Consecutive)]);
}

#[test]
fn who_could_not_be_ejected_is_as_soon_as_there_is_room() {
    let mut trial = Trial::new(Rules::default(), 3);
    eject(&mut trial, 0);
    eject(&mut trial, 1);
    trial.pass(Duration::from_secs(30));
    trial.calls(0, 1, Outcome::Success);
    assert!(trial.is_up(0) && trial.is_up(1));

    trial.calls(1, 4, Outcome::Failure);
    assert!(trial.is_up(1));
    trial.calls(1, 1, Outcome::Failure);

    assert!(trial.is_ejected(1));
}

#[test]
fn a_fleet_that_shrinks_has_fewer_ejected() {
    let mut trial = Trial::new(Rules::default(), 20);
    eject(&mut trial, 0);
    trial.pass(Duration::from_secs(1));
    eject(&mut trial, 1);
    assert!(trial.is_ejected(0) && trial.is_ejected(1));

    trial.release(19);

    // The one that would have been back first.
    assert!(trial.is_up(0) && trial.is_ejected(1));
}

#[test]
fn who_comes_back_ejected_does_not_exceed_the_limit() {
    let mut trial = Trial::new(Rules::default(), 10);
    eject(&mut trial, 0);
    trial.release(0);
    trial.pass(Duration::from_secs(1));
    eject(&mut trial, 1);

    trial.hold(0);

    assert!(trial.is_up(0) && trial.is_ejected(1));
}

#[test]
fn one_is_had_until_the_last_handle_ends() {
    let mut trial = Trial::new(Rules::default(), 2);
    let handles = [trial.lease(0), trial.lease(0)];
    let had = |trial: &Trial| trial.fleet.weight.had;

    assert!(!trial.end(0, handles[0]));
    assert!(!trial.end(0, handles[0]));
    assert_eq!(had(&trial), 2);
    trial.release(0);
    assert_eq!(had(&trial), 1);
    let again = trial.lease(0);
    // It ended with all others.
    assert!(!trial.end(0, handles[1]));
    assert_eq!(had(&trial), 2);

    assert!(trial.end(0, again));
    assert_eq!(had(&trial), 1);
}

#[test]
fn who_comes_back_is_as_he_was() {
    let mut trial = Trial::new(Rules::default(), 10);
    eject(&mut trial, 0);
    trial.release(0);
    assert!(trial.is_open(0));
    trial.sweep();

    trial.hold(0);

    assert!(trial.is_ejected(0) && !trial.is_open(0));
    trial.pass(Duration::from_secs(30));
    trial.calls(0, 1, Outcome::Failure);
    assert_eq!(trial.multiplier(0), 2);
}

#[test]
fn who_has_nothing_to_be_remembered_is_forgotten() {
    let mut trial = Trial::new(Rules::default(), 10);
    eject(&mut trial, 0);
    trial.calls(1, 1, Outcome::Success);
    (0..3).for_each(|backend| trial.release(backend));
    let known = |trial: &Trial| [0, 1, 2].map(|it| trial.fleet.get(trial.ids[it]).is_some());

    trial.sweep();
    assert_eq!(known(&trial), [true, true, false]);
    trial.sweep();
    assert_eq!(known(&trial), [true, false, false]);

    // The end of the ejection, an interval in which nobody asks, one that takes off the multiplier.
    trial.pass(Duration::from_secs(30));
    for _ in 0..3 {
        trial.pass(Duration::from_secs(10));
        trial.sweep();
    }
    assert_eq!(known(&trial), [false; 3]);
}

#[test]
fn a_row_of_failures_is_remembered_for_as_long_as_the_longest_ejection() {
    let mut trial = Trial::new(Rules::default(), 10);
    trial.calls(0, 4, Outcome::Failure);
    trial.release(0);
    let interval = Duration::from_secs(10);
    for _ in 0..30 {
        trial.sweep();
        trial.pass(interval);
    }
    assert!(trial.fleet.get(trial.ids[0]).is_some());

    trial.hold(0);
    trial.calls(0, 1, Outcome::Failure);
    assert!(trial.is_ejected(0));

    trial.calls(1, 4, Outcome::Failure);
    trial.release(1);
    for _ in 0..32 {
        trial.sweep();
        trial.pass(interval);
    }
    assert!(trial.fleet.get(trial.ids[1]).is_none());
}

#[test]
fn when_nobody_judges_any_more_all_are_used_but_for_those_that_an_operator_keeps_out() {
    let rules = Rules {
        probes: Some(probe::Rules {
            initial: probe::Initial::Down,
            ..probe::Rules::default()
        }),
        ..Rules::default()
    };
    let mut trial = Trial::new(rules, 4);
    trial.probe(0, true);
    trial.force(3, Some(Override::Down));
    assert!((0..4).all(|backend| !trial.is_open(backend)));
    assert!(trial.admit(1, &mut Place::None).is_pending());

    let mut actions = Actions::default();
    trial.fleet.halt(&mut actions);

    let open = [0, 1, 2, 3].map(|backend| trial.is_open(backend));
    assert_eq!(open, [true, true, true, false]);
    assert_eq!(actions.wakers.len(), 1);
}

#[test]
fn when_too_many_are_out_all_are_used() {
    let rules = Rules {
        outlier: Outlier::default().max_ejected(100),
        ..Rules::default()
    };
    let mut trial = Trial::new(rules, 4);
    eject(&mut trial, 0);
    eject(&mut trial, 1);
    assert!(!trial.is_open(0) && !trial.is_open(1));
    trial.changes();

    eject(&mut trial, 2);

    assert!([0, 1, 2, 3].iter().all(|backend| trial.is_open(*backend)));
    let changes = trial.changes();
    assert!(matches!(changes[1], Change::PanicOn(3, 4)), "{changes:?}");

    trial.pass(Duration::from_secs(30));
    trial.calls(0, 1, Outcome::Success);

    assert!(trial.is_open(0) && !trial.is_open(1));
    let changes = trial.changes();
    assert!(matches!(changes.last(), Some(Change::PanicOff)));
}

#[test]
fn one_alone_may_be_out() {
    let mut trial = Trial::new(Rules::default(), 1);

    eject(&mut trial, 0);

    assert!(!trial.is_open(0));
}

#[test]
fn what_an_operator_keeps_out_stays_out_in_a_panic() {
    let rules = Rules {
        outlier: Outlier::default().max_ejected(100),
        ..Rules::default()
    };
    let mut trial = Trial::new(rules, 4);
    trial.force(3, Some(Override::Drain));

    (0..3).for_each(|backend| eject(&mut trial, backend));

    let open = [0, 1, 2, 3].map(|backend| trial.is_open(backend));
    assert_eq!(open, [true, true, true, false]);
}
