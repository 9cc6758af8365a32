//! How what calls, probes and operators say make one answer.

use std::task::Poll;
use std::time::Duration;

use crate::classify::Outcome;
use crate::combine::Combine;
use crate::event::Reason;
use crate::fleet::trial::Trial;
use crate::fleet::{Change, Rules};
use crate::force::Override;
use crate::judge::Place;
use crate::probe::{self, Initial};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn trial(combine: Combine, probes: probe::Rules) -> Trial {
    let rules = Rules {
        combine,
        probes: Some(probes),
        panic: None,
        ..Rules::default()
    };
    Trial::new(rules, 1)
}

pub(crate) fn exact() -> probe::Rules {
    probe::Rules {
        jitter: 0.0,
        ..probe::Rules::default()
    }
}

pub(crate) fn passive_active() -> Trial {
    trial(Combine::PassiveEjectsActiveRestores, exact())
}

#[test]
fn by_default_probes_let_back_in_before_the_time() {
    let mut trial = passive_active();
    trial.probes(0, "+++");
    trial.calls(0, 5, Outcome::Failure);
    assert!(!trial.is_open(0));

    trial.probes(0, "+");
    assert!(!trial.is_open(0));
    trial.probes(0, "+");

    assert!(trial.is_open(0));
    assert!(matches!(trial.changes().last(), Some(Change::Restored(0))));
}

#[test]
fn by_default_probes_take_nobody_out() {
    let mut trial = passive_active();

    trial.probes(0, "-----");

    assert!(trial.is_open(0));
}

#[test]
fn by_default_probes_that_fail_keep_out_beyond_the_time() {
    let mut trial = passive_active();
    trial.calls(0, 5, Outcome::Failure);
    trial.probes(0, "---");

    trial.pass(60 * SECOND);
    assert!(trial.is_ejected(0));
    trial.probes(0, "+-++");

    assert!(trial.is_open(0));
}

#[test]
fn one_that_an_operator_keeps_out_is_told_to_be_back_when_he_lets_go() {
    let mut trial = passive_active();
    trial.calls(0, 5, Outcome::Failure);
    trial.force(0, Some(Override::Drain));
    trial.changes();
    let told = |trial: &mut Trial| {
        let changes = trial.changes();
        let restored = |change: &&Change<_>| matches!(change, Change::Restored(_));
        changes.iter().filter(restored).count()
    };

    trial.probes(0, "++");
    assert!(trial.is_up(0) && !trial.is_open(0));
    assert_eq!(told(&mut trial), 0);
    trial.force(0, None);

    assert_eq!(told(&mut trial), 1);
    trial.force(0, Some(Override::Drain));
    trial.force(0, None);
    assert_eq!(told(&mut trial), 0, "he was not told to be out");
}

#[test]
fn where_either_ejects_probes_do() {
    let mut trial = trial(Combine::EitherEjects, exact());

    trial.probes(0, "---");
    assert!(!trial.is_open(0));
    assert_eq!(trial.ejections(), [(0, Reason::Probes)]);
    trial.probes(0, "++");

    assert!(trial.is_open(0));
    assert!(matches!(trial.changes().last(), Some(Change::Restored(0))));
}

#[test]
fn where_either_ejects_an_ejection_takes_its_time() {
    let mut trial = trial(Combine::EitherEjects, exact());
    trial.calls(0, 5, Outcome::Failure);

    trial.probes(0, "+++");
    assert!(trial.is_ejected(0));
    trial.pass(30 * SECOND);

    assert!(trial.is_proving(0));
}

#[test]
fn where_either_ejects_no_call_proves_one_whose_probes_fail() {
    let mut trial = trial(Combine::EitherEjects, exact());
    trial.calls(0, 5, Outcome::Failure);
    trial.probes(0, "---");
    trial.pass(30 * SECOND);

    assert_eq!(trial.admit(0, &mut Place::None), Poll::Pending);
    trial.probes(0, "++");

    assert_eq!(trial.woken(), 1);
    assert_eq!(trial.admit(0, &mut Place::None), Poll::Ready(()));
}

#[test]
fn where_both_must_agree_neither_ejects_alone() {
    let mut trial = trial(Combine::BothEject, exact());
    trial.calls(0, 50, Outcome::Failure);
    assert!(trial.is_open(0));
    trial.calls(0, 1, Outcome::Success);
    trial.probes(0, "-----");
    assert!(trial.is_open(0));

    trial.calls(0, 5, Outcome::Failure);

    assert!(!trial.is_open(0));
}

#[test]
fn where_both_must_agree_either_may_be_the_last() {
    let mut trial = trial(Combine::BothEject, exact());
    trial.calls(0, 5, Outcome::Failure);

    trial.probes(0, "---");

    assert_eq!(trial.ejections(), [(0, Reason::Consecutive)]);
    trial.probes(0, "++");
    assert!(trial.is_open(0));
}

#[test]
fn a_rate_waits_for_the_probes_to_agree_until_the_next_one() {
    let rules = Rules {
        combine: Combine::BothEject,
        probes: Some(exact()),
        panic: None,
        ..Rules::default()
    };
    let mut trial = Trial::new(rules, 5);
    let fail = |trial: &mut Trial| {
        (1..5).for_each(|backend| trial.calls(backend, 100, Outcome::Success));
        trial.calls(0, 100, Outcome::Failure);
        trial.calls(0, 1, Outcome::Success);
        trial.sweep();
    };
    let fall = |trial: &mut Trial| {
        for _ in 0..15 {
            let due = trial.fleet.probe_due().unwrap();
            let backend = trial
                .ids
                .iter()
                .position(|id| trial.fleet.get(*id).unwrap().due == Some(due));
            trial.probe(backend.unwrap(), false);
        }
    };
    fail(&mut trial);
    assert!(trial.is_open(0));

    fall(&mut trial);

    assert_eq!(trial.ejections(), [(0, Reason::SuccessRate)]);
}

#[test]
fn one_that_starts_down_is_in_once_its_probes_succeed() {
    let probes = probe::Rules {
        initial: Initial::Down,
        ..exact()
    };
    for combine in [
        Combine::PassiveEjectsActiveRestores,
        Combine::EitherEjects,
        Combine::BothEject,
    ] {
        let mut trial = trial(combine, probes);
        assert!(!trial.is_open(0));
        trial.pass(1000 * SECOND);
        assert!(!trial.is_open(0));

        trial.probes(0, "++");

        assert!(trial.is_open(0), "{combine:?}");
    }
}

#[test]
fn an_operator_has_the_last_word() {
    let mut trial = passive_active();
    trial.force(0, Some(Override::Down));
    assert!(!trial.is_open(0));
    trial.force(0, Some(Override::Drain));
    assert!(!trial.is_open(0));

    trial.force(0, Some(Override::Up));
    trial.calls(0, 10, Outcome::Failure);
    assert!(trial.is_open(0) && trial.is_up(0));
    trial.force(0, None);
    assert!(trial.is_open(0));

    trial.calls(0, 5, Outcome::Failure);
    assert!(!trial.is_open(0));
}

#[test]
fn one_that_is_overridden_while_it_is_ejected_goes_on_from_there() {
    let mut trial = passive_active();
    trial.calls(0, 5, Outcome::Failure);
    let mut place = Place::None;
    assert!(trial.admit(0, &mut place).is_pending());

    trial.force(0, Some(Override::Up));

    assert_eq!(trial.woken(), 1);
    assert!(trial.is_open(0));
    trial.force(0, None);
    assert!(!trial.is_open(0) && trial.is_ejected(0));
}

#[test]
fn who_waits_for_a_proof_is_woken_when_an_operator_lets_go() {
    let mut trial = passive_active();
    trial.calls(0, 5, Outcome::Failure);
    trial.pass(30 * SECOND);
    assert!(trial.is_proving(0));
    trial.force(0, Some(Override::Drain));
    let mut place = Place::None;
    assert!(trial.admit(0, &mut place).is_pending());
    trial.pass(30 * SECOND);
    // Nobody is woken for what he may not do.
    assert_eq!((trial.woken(), trial.fleet.next_due()), (0, None));

    trial.force(0, None);

    assert_eq!(trial.woken(), 1);
    assert!(trial.admit(0, &mut place).is_ready());
}

#[test]
fn who_might_prove_one_that_an_operator_takes_out_may_when_he_lets_go() {
    let mut trial = passive_active();
    trial.calls(0, 5, Outcome::Failure);
    trial.pass(30 * SECOND);
    let mut place = Place::None;
    assert!(trial.admit(0, &mut place).is_ready());
    let Place::Admitted { permit, .. } = place else {
        panic!("it may prove the backend");
    };
    // The service below is not ready.
    trial.waits(0, permit);

    trial.force(0, Some(Override::Drain));
    assert!(trial.admit(0, &mut place).is_pending());
    trial.force(0, None);

    assert_eq!(trial.woken(), 1);
    assert!(trial.admit(0, &mut place).is_ready());
}

#[test]
fn one_that_its_probes_keep_out_is_forgotten_once_nobody_has_it() {
    let mut trial = passive_active();
    trial.calls(0, 5, Outcome::Failure);
    trial.probes(0, "---");
    trial.pass(60 * SECOND);
    assert!(trial.is_ejected(0));

    trial.release(0);

    for _ in 0..4 {
        trial.pass(10 * SECOND);
        trial.sweep();
    }
    assert!(trial.fleet.get(trial.ids[0]).is_none());
    assert!(trial.fleet.next_due().is_none());
}
