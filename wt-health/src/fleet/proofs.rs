//! One call proves a backend, and one always may be made.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert, prop_oneof, proptest};
use tokio::time::Instant;

use crate::classify::Outcome;
use crate::fleet::Rules;
use crate::fleet::trial::Trial;
use crate::judge::Place;
use crate::proof::PATIENCE;

/// What one of the services of a backend does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(usize),
    Leave(usize),
    /// The service below is not ready.
    Wait(usize),
    Call(usize),
    GiveUp,
    Pass(u64),
}

const SERVICES: usize = 4;
const EJECTION: Duration = Duration::from_secs(30);

fn steps() -> impl Strategy<Value = Step> {
    let service = 0..SERVICES;
    prop_oneof![
        4 => service.clone().prop_map(Step::Ask),
        1 => service.clone().prop_map(Step::Leave),
        1 => service.clone().prop_map(Step::Wait),
        2 => service.prop_map(Step::Call),
        1 => Just(Step::GiveUp),
        2 => (0..2_000_u64).prop_map(Step::Pass),
    ]
}

/// A backend that is to prove itself.
fn proving() -> Trial {
    let mut trial = Trial::new(Rules::default(), 1);
    trial.calls(0, 5, Outcome::Failure);
    trial.pass(EJECTION);
    assert!(trial.is_proving(0));
    trial
}

proptest! {
    #[test]
    fn one_has_the_permit_until_it_is_his_no_more(steps in vec(steps(), 1..100)) {
        let mut trial = proving();
        let mut places = [Place::None; SERVICES];
        // The last one that was lent, until when nobody else may have it, and whose call it is.
        let mut lent: Option<(u64, Instant)> = None;
        // When it was lent, and whether the service below is waited for since.
        let mut since = trial.now;
        let mut waits = false;
        let mut call = None;

        for step in steps {
            match step {
                Step::Ask(service) => {
                    let before = places[service];
                    let ready = trial.admit(0, &mut places[service]).is_ready();
                    let Place::Admitted { permit, .. } = places[service] else {
                        let free = lent.is_none_or(|(_, until)| until <= trial.now);
                        prop_assert!(!ready && !free, "{step:?}: nobody has it");
                        continue;
                    };
                    prop_assert!(ready);
                    if before != places[service] {
                        let free = lent.is_none_or(|(_, until)| until <= trial.now);
                        prop_assert!(free, "{step:?}: somebody else has it");
                        lent = Some((permit, trial.now + PATIENCE));
                        (since, waits) = (trial.now, false);
                    } else if std::mem::take(&mut waits) {
                        lent = Some((permit, trial.now + PATIENCE));
                    }
                }
                Step::Leave(service) => {
                    let place = std::mem::take(&mut places[service]);
                    trial.leave(0, place);
                    if let Place::Admitted { permit, .. } = place {
                        lent = lent.filter(|(last, _)| *last != permit);
                    }
                }
                Step::Wait(service) => {
                    if let Place::Admitted { permit, .. } = places[service] {
                        trial.waits(0, permit);
                        if lent.is_some_and(|(last, _)| last == permit) {
                            lent = Some((permit, since + EJECTION));
                            waits = true;
                        }
                    }
                }
                Step::Call(service) => {
                    if let Place::Admitted { permit, .. } = places[service] {
                        places[service] = Place::None;
                        trial.called(0, permit);
                        if lent.is_some_and(|(last, _)| last == permit) {
                            lent = Some((permit, trial.now + EJECTION));
                            waits = false;
                        }
                        call = Some(permit);
                    }
                }
                Step::GiveUp => {
                    if let Some(permit) = call.take() {
                        trial.leave(0, Place::Admitted { permit, ticket: 0 });
                        lent = lent.filter(|(last, _)| *last != permit);
                    }
                }
                Step::Pass(milliseconds) => trial.pass(Duration::from_millis(milliseconds)),
            }
        }

        // Whoever has it and does not use it, another one may have it some time.
        trial.pass(EJECTION);
        let mut newcomer = Place::None;
        prop_assert!(trial.admit(0, &mut newcomer).is_ready());
        trial.calls(0, 1, Outcome::Success);
        prop_assert!(trial.is_up(0));
    }
}
