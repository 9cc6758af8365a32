//! When one is probed, and when what is found is news.

use crate::classify::Outcome;
use crate::combine::Combine;
use crate::fleet::Actions;
use crate::fleet::modes::{SECOND, exact, passive_active, trial};
use crate::fleet::trial::Trial;
use crate::force::Override;
use crate::probe;

#[test]
fn what_a_probe_found_before_an_ejection_does_not_end_it() {
    let mut trial = passive_active();
    trial.probes(0, "+++");
    trial.pass(30 * SECOND);
    let start = trial.fleet.next_probe(trial.now).unwrap();
    let began = trial.now;
    trial.pass(SECOND);
    trial.calls(0, 5, Outcome::Failure);

    let found = crate::fleet::Found {
        id: start.id,
        number: start.number,
        began,
        result: Ok(()),
    };
    let now = trial.now;
    trial.fleet.probed(found, now, &mut Actions::default());

    trial.probes(0, "+");
    assert!(trial.is_ejected(0));
    trial.probes(0, "+");
    assert!(trial.is_up(0));
}

#[test]
fn what_a_probe_found_before_an_ejection_is_no_proof_after_it() {
    for passes in [true, false] {
        let probes = probe::Rules {
            rise: 1,
            fall: 1,
            ..exact()
        };
        let mut trial = trial(Combine::PassiveEjectsActiveRestores, probes);
        let start = trial.fleet.next_probe(trial.now).unwrap();
        let began = trial.now;
        trial.pass(SECOND);
        trial.calls(0, 5, Outcome::Failure);
        trial.pass(30 * SECOND);
        assert!(trial.is_proving(0));

        let found = crate::fleet::Found {
            id: start.id,
            number: start.number,
            began,
            result: if passes {
                Ok(())
            } else {
                Err(std::sync::Arc::new(probe::ProbeError::TimedOut))
            },
        };
        let now = trial.now;
        trial.fleet.probed(found, now, &mut Actions::default());

        let record = trial.fleet.get(trial.ids[0]).unwrap();
        assert!(trial.is_proving(0) && !record.standing.is_down());
        assert!(record.error.is_none() && record.due.is_some());
    }
}

#[test]
fn why_its_probes_fail_is_known_while_it_is_down() {
    let mut trial = passive_active();
    let known = |trial: &Trial| trial.fleet.get(trial.ids[0]).unwrap().error.is_some();

    trial.probes(0, "-");
    assert!(known(&trial));
    trial.probes(0, "+");
    assert!(!known(&trial));
    trial.probes(0, "---+");
    assert!(known(&trial));
    trial.probes(0, "+");

    assert!(!known(&trial));
}

#[test]
fn probes_come_fast_after_a_change_and_slow_down() {
    let mut trial = passive_active();
    trial.probe(0, true);

    let mut waits = |probes: &str| -> Vec<u64> {
        let probes = probes.chars();
        let waits = probes.map(|probe| trial.probe(0, probe == '+').as_secs());
        waits.collect()
    };

    assert_eq!(waits("++++"), [1, 1, 30, 30]);
    assert_eq!(waits("----"), [30, 1, 1, 30]);
    assert_eq!(waits("++++"), [30, 1, 1, 30]);
}

#[test]
fn an_ejection_makes_the_next_probe_come_fast() {
    let mut trial = passive_active();
    trial.probes(0, "+++");

    trial.calls(0, 5, Outcome::Failure);

    assert_eq!(trial.probe(0, false), SECOND);
}

#[test]
fn one_that_nobody_calls_is_probed_no_more() {
    let mut trial = passive_active();
    trial.probes(0, "+++");
    // Not later than ten minutes after it was new.
    while trial.now < trial.fleet.get(trial.ids[0]).unwrap().used + 570 * SECOND {
        trial.probe(0, true);
    }
    trial.pass(60 * SECOND);
    assert!(trial.fleet.next_probe(trial.now).is_none());
    // It is not even looked at.
    assert_eq!(trial.fleet.probe_due(), None);

    trial.calls(0, 1, Outcome::Success);
    trial.sweep();

    assert!(trial.probe(0, true) <= SECOND);
}

#[test]
fn one_that_nobody_calls_is_probed_once_it_is_watched_or_ejected() {
    for ejected in [false, true] {
        let probes = probe::Rules {
            unused: Some(SECOND),
            ..exact()
        };
        let mut trial = trial(Combine::PassiveEjectsActiveRestores, probes);
        trial.pass(10 * SECOND);
        assert!(trial.fleet.next_probe(trial.now).is_none());
        assert_eq!(trial.fleet.probe_due(), None);

        if ejected {
            trial.calls(0, 5, Outcome::Failure);
        } else {
            trial.watch(0);
        }

        assert!(trial.probe(0, true) <= SECOND);
    }
}

#[test]
fn what_probes_found_before_they_stopped_agrees_with_nothing() {
    let probes = probe::Rules {
        unused: Some(10 * SECOND),
        ..exact()
    };
    let mut trial = trial(Combine::BothEject, probes);
    trial.probes(0, "---");
    trial.pass(100 * SECOND);
    assert!(trial.fleet.next_probe(trial.now).is_none());

    trial.calls(0, 5, Outcome::Failure);
    assert!(trial.is_up(0));
    trial.sweep();
    trial.probes(0, "--");
    assert!(trial.is_up(0));
    trial.probes(0, "-");

    assert!(trial.is_ejected(0));
}

#[test]
fn one_that_is_out_is_probed_however_long() {
    let mut trial = passive_active();
    trial.calls(0, 5, Outcome::Failure);
    let mut probed = 0;
    while probed < 100 {
        trial.probe(0, false);
        probed += 1;
    }

    assert!(trial.now > trial.fleet.get(trial.ids[0]).unwrap().used + 1000 * SECOND);
}

#[test]
fn one_that_nobody_has_is_not_probed() {
    let mut trial = passive_active();
    trial.probes(0, "+++");
    trial.pass(30 * SECOND);
    let start = trial.fleet.next_probe(trial.now).unwrap();

    trial.release(0);

    assert_eq!(trial.stopped(), [start.number]);
    trial.pass(300 * SECOND);
    assert!(trial.fleet.next_probe(trial.now).is_none());
    trial.hold(0);
    assert!(trial.probe(0, true) <= SECOND);
}

#[test]
fn maintenance_stops_probes_and_a_drain_does_not() {
    let mut trial = passive_active();
    trial.probes(0, "+++");
    trial.force(0, Some(Override::Drain));
    trial.probes(0, "+");

    trial.force(0, Some(Override::Down));
    assert_eq!(trial.fleet.probe_due(), None);
    trial.force(0, None);

    assert!(trial.fleet.probe_due().is_some());
}
