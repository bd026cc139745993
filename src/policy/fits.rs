//! Fits to the log, shared by trials.
//!
//! A fit is made once for all trials with the same log and parameters.

use super::PolicyContext;
use crate::dataset::TrainingLog;
use crate::random::Streams;
use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Models that policies fitted to the log, for the trials of one experiment. Clones share them. A fit is kept until two
/// replications have begun since its last use.
#[derive(Clone, Default)]
pub struct Fits(Arc<Mutex<BTreeMap<Key, Slot>>>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    what: &'static str,
    params: String,
    /// The address of the log, which the slot keeps alive.
    log: usize,
    /// `None`: the fit draws nothing, and all replications share it.
    streams: Option<Streams>,
    kind: TypeId,
}

struct Slot {
    fit: Arc<OnceLock<Arc<dyn Any + Send + Sync>>>,
    _log: Arc<TrainingLog>,
    /// The latest replication that asked for it.
    used: u32,
}

impl Fits {
    /// The slot of a fit; the first trial fills it, the others wait.
    fn slot(&self, key: Key, log: &Arc<TrainingLog>, replication: u32) -> Arc<OnceLock<Arc<dyn Any + Send + Sync>>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| slot.used.saturating_add(1) >= replication);
        let fresh = || Slot { fit: Arc::default(), _log: log.clone(), used: replication };
        let slot = slots.entry(key).or_insert_with(fresh);
        slot.used = slot.used.max(replication);
        slot.fit.clone()
    }

    /// The number of stored fits.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl PolicyContext {
    /// A fit to the log before the start, made once for all trials with this log: `what` names it, `params` are all
    /// parameters on which it depends. `fit` must not read [`PolicyContext::sources`] and must not draw.
    pub fn fit<T: Send + Sync + 'static>(
        &self,
        what: &'static str,
        params: &impl Debug,
        fit: impl Fn() -> T,
    ) -> Arc<T> {
        self.shared(what, params, None, fit)
    }

    /// Like [`PolicyContext::fit`], if `fit` draws from [`PolicyContext::streams`]: once for all trials with this log
    /// in one replication.
    pub fn fit_drawn<T: Send + Sync + 'static>(
        &self,
        what: &'static str,
        params: &impl Debug,
        fit: impl Fn() -> T,
    ) -> Arc<T> {
        self.shared(what, params, Some(self.streams), fit)
    }

    fn shared<T: Send + Sync + 'static>(
        &self,
        what: &'static str,
        params: &impl Debug,
        streams: Option<Streams>,
        fit: impl Fn() -> T,
    ) -> Arc<T> {
        let log = Arc::as_ptr(&self.log) as usize;
        let key = Key { what, params: format!("{params:?}"), log, streams, kind: TypeId::of::<T>() };
        let slot = self.fits.slot(key, &self.log, self.streams.replication());
        let found = slot.get_or_init(|| Arc::new(fit())).clone();
        // The type is part of the key.
        found.downcast().unwrap_or_else(|_| Arc::new(fit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{World, build};
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn trials_that_begin_alike_share_a_fit_and_others_do_not() {
        let base = World::new(6, 20).context();
        let made = AtomicU32::new(0);
        let fit = |context: &PolicyContext, strength: f64| {
            context.fit("sum", &strength, || made.fetch_add(1, Ordering::Relaxed))
        };
        let drawn = |context: &PolicyContext| context.fit_drawn("sum", &1.0, || made.fetch_add(1, Ordering::Relaxed));
        let next = PolicyContext { streams: Streams::new(5, 2), ..base.clone() };
        let other_log = PolicyContext { log: Arc::new(TrainingLog::clone(&base.log)), ..base.clone() };
        assert_eq!([*fit(&base, 1.0), *fit(&next, 1.0), *fit(&base, 2.0), *fit(&other_log, 1.0)], [0, 0, 1, 2]);
        assert_eq!([*drawn(&base), *drawn(&base), *drawn(&next), *drawn(&next)], [3, 3, 4, 4]);
    }

    #[test]
    fn an_unused_fit_is_dropped() {
        let base = World::new(6, 20).context();
        let at = |replication| PolicyContext { streams: Streams::new(5, replication), ..base.clone() };
        for replication in 0..10 {
            at(replication).fit("always", &(), || 1);
            at(replication).fit_drawn("drawn", &(), || 2);
        }
        assert_eq!(base.fits.len(), 3, "one for all, and the drawn ones of the last two replications");
    }

    #[test]
    fn threads_wait_for_one_fit() {
        let (base, made) = (World::new(6, 20).context(), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| base.fit("slow", &(), || made.fetch_add(1, Ordering::Relaxed)));
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn a_shared_fit_changes_no_slate() {
        let world = World::new(30, 40);
        let (users, blocked) = world.everyone();
        let shared = world.context();
        for kind in ["ials", "bpr", "ease", "item_knn", "user_knn", "biased_mf", "linucb", "thompson"] {
            let rollout = |context: &PolicyContext| {
                let mut policy = build(kind, context);
                (0..40).for_each(|tick| {
                    let slates = world.recommend(policy.as_mut(), tick, &users, &blocked);
                    let events = world.respond(tick, &users, &slates, |user, item| (user.0 + item.0 + tick) % 3 == 0);
                    policy.observe(&events).expect("a policy that learns");
                });
                world.recommend(policy.as_mut(), 40, &users, &blocked)
            };
            let (first, second, alone) = (rollout(&shared), rollout(&shared), rollout(&world.context()));
            assert_eq!(first.items, second.items, "{kind}: retraining leaves the shared fit as it was");
            assert_eq!(first.items, alone.items, "{kind}");
        }
    }
}
