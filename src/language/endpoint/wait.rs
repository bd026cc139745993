//! The wait before a request is repeated.

use crate::random::{Purpose, Streams, unit};
use std::time::Duration;

/// The longest wait without a request of the server.
const LONGEST: f64 = 60.0;

/// A server that requests a longer wait is given up.
pub(super) const MOST_ASKED: Duration = Duration::from_secs(15 * 60);

/// How often a sleeping thread checks the stop flag.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The wait before try `attempt` (the second try is 1) of the request `id`: exponential with jitter from half to one
/// and a half times; if the server requests a wait, that and a little more.
pub(super) fn delay(streams: Streams, id: u64, attempt: u32, first: Duration, asked: Option<Duration>) -> Duration {
    let jitter = unit(&mut streams.derive(Purpose::Retry, id, attempt));
    let first = first.as_secs_f64();
    if let Some(asked) = asked {
        return asked + Duration::from_secs_f64(first * jitter);
    }
    let doubled = first * f64::from(1u32 << (attempt.saturating_sub(1)).min(20));
    Duration::from_secs_f64(doubled.min(LONGEST) * (0.5 + jitter))
}

/// Sleeps; returns early if `stop` is true.
pub(super) fn sleep(mut left: Duration, stop: impl Fn() -> bool) {
    while !left.is_zero() && !stop() {
        let step = left.min(LOOK_EVERY);
        std::thread::sleep(step);
        left -= step;
    }
}

/// The wait that `retry-after-ms` or `retry-after` requests: a number, or a time relative to the server's own `date`,
/// so that clocks need not agree.
pub(super) fn asked<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Duration> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if let Some(milliseconds) = header("retry-after-ms").and_then(number) {
        return Some(seconds(milliseconds / 1_000.0));
    }
    let after = header("retry-after")?;
    if let Some(found) = number(after) {
        return Some(seconds(found));
    }
    let moment = |text: &str| jiff::fmt::rfc2822::parse(text.trim()).ok().map(|moment| moment.timestamp());
    let gap = moment(after)?.as_second() - moment(header("date")?)?.as_second();
    Some(Duration::from_secs(u64::try_from(gap).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(headers: &[(&str, &'static str)]) -> Option<Duration> {
        asked(|name| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value))
    }

    #[test]
    fn waits_double_up_to_a_minute_and_differ_between_requests() {
        let streams = Streams::new(1, 0);
        let wait = |id, attempt| delay(streams, id, attempt, Duration::from_secs(1), None).as_secs_f64();
        for (attempt, middle) in [(1, 1.0), (2, 2.0), (3, 4.0), (7, 60.0), (40, 60.0)] {
            for id in 0..50 {
                let found = wait(id, attempt);
                assert!((0.5 * middle..1.5 * middle).contains(&found), "{found} at try {attempt}");
            }
        }
        assert_ne!(wait(1, 1), wait(2, 1));
        assert_eq!(wait(1, 1), wait(1, 1));
    }

    #[test]
    fn the_requested_wait_is_respected() {
        let five = Some(Duration::from_secs(5));
        let found = delay(Streams::new(1, 0), 1, 1, Duration::from_secs(1), five);
        assert!(found >= Duration::from_secs(5) && found < Duration::from_secs(6));
        assert_eq!(from(&[("retry-after", " 5 ")]), five);
        assert_eq!(from(&[("retry-after", "9"), ("retry-after-ms", "5000")]), five);
        let moment = ("retry-after", "Tue, 24 Nov 2026 10:00:05 GMT");
        assert_eq!(from(&[moment, ("date", "Tue, 24 Nov 2026 10:00:00 GMT")]), five);
        assert_eq!(from(&[moment, ("date", "Tue, 24 Nov 2026 11:00:00 GMT")]), Some(Duration::ZERO));
        for without in [&[moment][..], &[("retry-after", "soon")], &[("retry-after", "-1")], &[]] {
            assert_eq!(from(without), None, "{without:?}");
        }
    }

    #[test]
    fn a_sleep_ends_when_it_should_stop() {
        sleep(Duration::from_secs(3_600), || true);
    }
}
