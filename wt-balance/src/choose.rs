//! One pick: by priorities and policy, of those who are not to be left out.

use crate::backends::Backends;
use crate::last::Last;
use crate::members::{ALL, Members, Tier};
use crate::policy::{Pick, Policy};
use crate::view::{Mood, Skip, View};

/// Who searches, and for what.
pub(crate) struct Query<'a, K, S, P, Req> {
    pub(crate) backends: &'a Backends<K, S>,
    pub(crate) policy: &'a P,
    pub(crate) request: Option<&'a Req>,
    pub(crate) last: Last,
    pub(crate) tells: bool,
}

/// Picks one of those that were not tried; its place is that in the whole set.
#[inline(always)]
pub(crate) fn choose<K, S, P, Req>(
    query: &Query<'_, K, S, P, Req>,
    members: &Members<K, S>,
    tried: &[u64],
) -> Pick
where
    P: Policy<Req>,
{
    let skip = Skip {
        tried,
        // Who has failed since it was called.
        avoided: query.last.failed_since(members, &query.backends.common),
        resting: true,
    };
    let first = members.first_tier(|| fastrand::u32(..ALL));
    // Most often, that is all.
    if let Some(tier) = members.tiers.get(first) {
        let picked = pick_in(tier, query, members, skip, &mut false);
        if picked != Pick::Nobody {
            return picked;
        }
    }
    choose_among(query, members, skip, first)
}

/// As [`choose`], of all tiers, and of those that are left out at first, too.
#[inline(never)]
fn choose_among<K, S, P, Req>(
    query: &Query<'_, K, S, P, Req>,
    members: &Members<K, S>,
    mut skip: Skip<'_>,
    first: usize,
) -> Pick
where
    P: Policy<Req>,
{
    loop {
        let mut spared = false;
        for tier in order(first, &members.tiers) {
            let picked = pick_in(tier, query, members, skip, &mut spared);
            if picked != Pick::Nobody {
                return picked;
            }
        }
        if !spared {
            return of_nobody(query, members, skip);
        }
        // Those that rest first: they may be ready after all. Then whom the caller avoids.
        if skip.resting {
            skip.resting = false;
        } else {
            skip.avoided = 0;
        }
    }
}

#[inline(always)]
fn pick_in<K, S, P, Req>(
    tier: &Tier,
    query: &Query<'_, K, S, P, Req>,
    members: &Members<K, S>,
    skip: Skip<'_>,
    spared: &mut bool,
) -> Pick
where
    P: Policy<Req>,
{
    let mood = Mood {
        version: members.version,
        panics: tier.panics(),
        warming: members.is_warming(),
    };
    let slots = &members.slots[tier.range.clone()];
    let view = View::new(slots, &query.backends.common, skip, mood);
    match query.policy.pick(&view, query.request) {
        // A pick that is not allowed is none.
        Pick::One(place) if place < view.len() && view.is_usable(place) => {
            Pick::One(tier.range.start + place)
        }
        Pick::NeedsRequest if query.request.is_none() => Pick::NeedsRequest,
        _ => {
            *spared |= view.has_spared();
            Pick::Nobody
        }
    }
}

/// Without any backend, the policy is asked all the same whether it takes the request.
#[cold]
fn of_nobody<K, S, P, Req>(
    query: &Query<'_, K, S, P, Req>,
    members: &Members<K, S>,
    skip: Skip<'_>,
) -> Pick
where
    P: Policy<Req>,
{
    if query.request.is_some() || !members.tiers.is_empty() {
        return Pick::Nobody;
    }
    let view = View::new(&[], &query.backends.common, skip, Mood::default());
    match query.policy.pick(&view, None) {
        Pick::NeedsRequest => Pick::NeedsRequest,
        _ => Pick::Nobody,
    }
}

/// The first one, then the others as they come.
#[inline]
fn order(first: usize, tiers: &[Tier]) -> impl Iterator<Item = &Tier> {
    let others = tiers.iter().enumerate();
    let others = others.filter(move |(n, _)| *n != first);
    tiers
        .get(first)
        .into_iter()
        .chain(others.map(|(_, tier)| tier))
}
