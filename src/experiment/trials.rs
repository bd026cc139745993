//! Concurrent trials, each with worker threads of its own.
//!
//! A trial is parallel inside. In one pool for all trials, a worker that waits for an inner loop would look for other
//! work and might begin another trial inside the first: trials would hold each other up, and the measured time of one
//! would include others. So the threads are divided: as many trials run at a time as there are threads, and each has
//! its share of threads for its inner loops. No result depends on it.

use rayon::ThreadPoolBuilder;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs all jobs, first ones first, and returns their results in order.
///
/// # Panics
/// When a job panics.
pub(crate) fn side_by_side<T: Sync, R: Send>(jobs: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = rayon::current_num_threads();
    let drivers = threads.min(jobs.len()).max(1);
    let next = AtomicUsize::new(0);
    let drive = |driver: usize| {
        let own = threads / drivers + usize::from(driver < threads % drivers);
        let pool = ThreadPoolBuilder::new().num_threads(own).build().ok();
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(place) else { return done };
            // Without a pool of its own a trial uses that of the process: slower, with the same result.
            done.push((place, pool.as_ref().map_or_else(|| run(job), |pool| pool.install(|| run(job)))));
        }
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let drive = &drive;
        let running: Vec<_> = (0..drivers).map(|driver| scope.spawn(move || drive(driver))).collect();
        let ended = running.into_iter().map(|driver| match driver.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ended.flatten().collect()
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::cell::Cell;
    use std::sync::Mutex;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for threads in [1, 2, 5] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let jobs: Vec<usize> = (0..7).collect();
            assert_eq!(pool.install(|| side_by_side(&jobs, |job| job * 2)), [0, 2, 4, 6, 8, 10, 12]);
            assert!(pool.install(|| side_by_side(&jobs[..0], |job| job * 2)).is_empty());
        }
    }

    #[test]
    fn no_trial_begins_inside_another_and_all_threads_are_shared_out() {
        thread_local! {
            static INSIDE: Cell<u32> = const { Cell::new(0) };
        }
        let nested = |_: &usize| {
            INSIDE.with(|inside| inside.set(inside.get() + 1));
            let depth = INSIDE.with(Cell::get);
            // Inner loops long enough that a worker of a shared pool would look for other work.
            let parts = (0..400u32).into_par_iter().with_max_len(1);
            parts.for_each(|part| {
                std::hint::black_box((0..2_000).fold(u64::from(part), |a, b| a ^ (a << 1) ^ b));
            });
            INSIDE.with(|inside| inside.set(inside.get() - 1));
            (depth, rayon::current_num_threads())
        };
        let pool = ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
        let jobs: Vec<usize> = (0..12).collect();
        let found = pool.install(|| side_by_side(&jobs, nested));
        assert!(found.iter().all(|&(depth, threads)| (depth, threads) == (1, 1)), "{found:?}");
        let sizes = Mutex::new(Vec::new());
        pool.install(|| {
            side_by_side(&jobs[..3], |_| sizes.lock().expect("no panic").push(rayon::current_num_threads()))
        });
        let sizes = sizes.into_inner().expect("no panic");
        assert!(sizes.iter().all(|&size| size == 1 || size == 2) && sizes.len() == 3, "{sizes:?}");
        assert_eq!(pool.install(|| side_by_side(&jobs[..1], |_| rayon::current_num_threads())), [4]);
    }
}
