//! The settings that a search tries.
//!
//! The sequence of trainings in a search, and their results: weight decays, held-out parts of the log, epochs.
//!
//! First one decay is found for all weights, from the smallest up, as long as larger ones lower the loss. If ratings
//! are few, larger ones are then tried for the weights that serve ratings alone. A setting is trained once for each
//! held-out part, and the mean of the losses over the parts counts.

use super::Course;

/// Weight decays for all weights, the smallest first. A log with little data needs a larger one.
pub(super) const DECAYS: [f64; 3] = [0.1, 1.0, 6.0];
/// Weight decays for the weights that serve ratings alone.
const RATING_DECAYS: [f64; 2] = [6.0, 30.0];

/// Weight decays, times the learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decays {
    /// Of all weights.
    pub(super) all: f64,
    /// Of those that serve ratings alone.
    pub(super) rating: f64,
}

impl Decays {
    /// The same for all.
    pub(super) fn same(decay: f64) -> Decays {
        Decays { all: decay, rating: decay }
    }

    fn of(course: &Course) -> Decays {
        Decays { all: course.decay, rating: course.rating_decay.unwrap_or(course.decay) }
    }

    /// The decay of ratings if it differs.
    pub(super) fn own_rating(self) -> Option<f64> {
        (self.rating != self.all).then_some(self.rating)
    }
}

/// The settings that a search may try.
pub(super) struct Settings {
    /// Decays for all weights.
    pub(super) decays: Vec<f64>,
    /// True if ratings may have another one.
    pub(super) separates: bool,
    /// Parts of the log that stay out in turn.
    pub(super) folds: usize,
}

/// A setting whose parts are all trained.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tried {
    pub(super) decays: Decays,
    /// The mean loss over the parts, as (epoch, loss).
    later: Vec<(u32, f64)>,
}

impl Tried {
    fn of(courses: &[Course]) -> Tried {
        let rounds = courses.iter().map(|course| course.later.len()).min().unwrap_or(0);
        let mean = |round: usize| {
            let losses = courses.iter().map(|course| course.later[round].1);
            (courses[0].later[round].0, losses.sum::<f64>() / courses.len() as f64)
        };
        Tried { decays: Decays::of(&courses[0]), later: (0..rounds).map(mean).collect() }
    }

    /// The least loss.
    fn least(&self) -> f64 {
        self.later.iter().map(|&(_, loss)| loss).fold(f64::INFINITY, f64::min)
    }

    /// The epoch that has it.
    pub(super) fn best_epoch(&self) -> Option<u32> {
        self.later.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|&(epoch, _)| epoch)
    }
}

impl Settings {
    fn tried(&self, trials: &[Course]) -> Vec<Tried> {
        let groups = trials.chunk_by(|one, other| Decays::of(one) == Decays::of(other));
        groups.filter(|group| group.len() == self.folds).map(Tried::of).collect()
    }

    /// The decays and the part of the next training; `None` at the end of the search.
    pub(super) fn next(&self, trials: &[Course]) -> Option<(Decays, usize)> {
        let tried = self.tried(trials);
        let left = trials.len() - tried.len() * self.folds;
        if let Some(begun) = trials.last().filter(|_| left > 0) {
            return Some((Decays::of(begun), left));
        }
        let shared = tried.iter().take_while(|one| one.decays.own_rating().is_none()).count();
        if shared == tried.len() && shared < self.decays.len() && !is_worse(&tried) {
            return Some((Decays::same(self.decays[shared]), 0));
        }
        let base = best_of(&tried[..shared]).filter(|_| self.separates)?.decays.all;
        let of_ratings = tried.len() - shared;
        let next = RATING_DECAYS.into_iter().filter(|&rating| rating > base).nth(of_ratings)?;
        let is_over = of_ratings > 0 && is_worse(&tried);
        (!is_over).then_some((Decays { all: base, rating: next }, 0))
    }

    /// The best setting; of equal ones the first.
    pub(super) fn best(&self, trials: &[Course]) -> Option<Tried> {
        best_of(&self.tried(trials)).cloned()
    }
}

/// True if the last setting is worse than the best before it.
fn is_worse(tried: &[Tried]) -> bool {
    let Some((last, before)) = tried.split_last() else { return false };
    last.least() > best_of(before).map_or(f64::INFINITY, Tried::least)
}

fn best_of(tried: &[Tried]) -> Option<&Tried> {
    tried.iter().min_by(|a, b| a.least().total_cmp(&b.least()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(decay: f64, rating: f64, losses: &[f64]) -> Course {
        let decays = Decays { all: decay, rating };
        let later = losses.iter().zip(1..).map(|(&loss, epoch)| (epoch, loss)).collect();
        Course { decay, rating_decay: decays.own_rating(), later, ..Course::default() }
    }

    fn settings(separates: bool, folds: usize) -> Settings {
        Settings { decays: DECAYS.to_vec(), separates, folds }
    }

    #[test]
    fn decays_grow_for_as_long_as_they_help() {
        let search = settings(false, 1);
        let same = Decays::same;
        assert_eq!(search.next(&[]), Some((same(0.1), 0)));
        let mut trials = vec![course(0.1, 0.1, &[3.0, 2.0, 2.5])];
        assert_eq!(search.next(&trials), Some((same(1.0), 0)));
        trials.push(course(1.0, 1.0, &[3.0, 2.1, 2.2]));
        assert_eq!(search.next(&trials), None, "it was worse");
        let best = search.best(&trials).expect("one");
        assert_eq!((best.decays, best.best_epoch()), (same(0.1), Some(2)));
        trials[1].later[2].1 = 2.0;
        assert_eq!(search.next(&trials), Some((same(6.0), 0)), "as good is not worse");
        assert_eq!(search.best(&trials).expect("one").decays, same(0.1), "of equal ones the first");
        trials.push(course(6.0, 6.0, &[1.0]));
        assert_eq!(search.next(&trials), None, "there is no larger one");
    }

    #[test]
    fn ratings_get_a_decay_of_their_own_after_that() {
        let search = settings(true, 1);
        let mut trials = vec![course(0.1, 0.1, &[2.0]), course(1.0, 1.0, &[1.9]), course(6.0, 6.0, &[2.2])];
        assert_eq!(search.next(&trials), Some((Decays { all: 1.0, rating: 6.0 }, 0)));
        trials.push(course(1.0, 6.0, &[1.8, 1.7, 1.75]));
        assert_eq!(search.next(&trials), Some((Decays { all: 1.0, rating: 30.0 }, 0)));
        trials.push(course(1.0, 30.0, &[1.8, 1.9]));
        assert_eq!(search.next(&trials), None);
        let best = search.best(&trials).expect("one");
        assert_eq!((best.decays, best.best_epoch()), (Decays { all: 1.0, rating: 6.0 }, Some(2)));
        let large = [course(0.1, 0.1, &[2.0]), course(1.0, 1.0, &[1.9]), course(6.0, 6.0, &[1.8])];
        assert_eq!(search.next(&large), Some((Decays { all: 6.0, rating: 30.0 }, 0)), "only larger ones are tried");
        let one = Settings { decays: vec![1.0], separates: false, folds: 1 };
        assert_eq!(one.next(&[course(1.0, 1.0, &[2.0])]), None);
    }

    #[test]
    fn parts_take_turns_and_their_mean_counts() {
        let search = settings(false, 2);
        let mut trials = vec![course(0.1, 0.1, &[3.0, 1.0, 5.0])];
        assert_eq!(search.next(&trials), Some((Decays::same(0.1), 1)));
        assert_eq!(search.best(&trials), None, "half of it says nothing");
        trials.push(course(0.1, 0.1, &[1.0, 2.0]));
        assert_eq!(search.next(&trials), Some((Decays::same(1.0), 0)));
        let best = search.best(&trials).expect("one");
        // The mean of the epochs that both have: 2, 1.5.
        assert_eq!((best.least(), best.best_epoch()), (1.5, Some(2)));
    }
}
