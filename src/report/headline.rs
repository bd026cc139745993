//! The answer of a run in a sentence.

use super::svg::minus;
use crate::experiment::{Interval, Paired, Results};
use crate::metrics::{Better, Format, MetricKind};
use serde::Serialize;

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// The words.
    pub text: String,
    /// True for names, which are set in bold.
    pub strong: bool,
}

/// The headline about the first metric.
pub struct Headline {
    /// The answer.
    pub answer: Vec<Span>,
    /// The rest of the sentence; may be empty.
    pub more: Vec<Span>,
    /// The comparison that the answer is about.
    pub paired: Option<Paired>,
}

/// Answers for the first metric.
pub fn headline(results: &Results) -> Headline {
    let Some(kind) = results.metrics().first().copied() else {
        return Headline { answer: words(&["No metric was asked for."]), more: Vec::new(), paired: None };
    };
    Subject { results, kind }.headline()
}

/// A metric's title as used inside a sentence.
pub fn lower(title: &str) -> String {
    let mut characters = title.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

struct Subject<'a> {
    results: &'a Results,
    kind: &'static MetricKind,
}

impl Subject<'_> {
    fn headline(&self) -> Headline {
        let ranking = self.results.ranking(0);
        let metric = lower(self.kind.title);
        let Some(&first) = ranking.first() else {
            let text = format!("The {metric} is undefined in every replication.");
            return Headline { answer: words(&[&text]), more: Vec::new(), paired: None };
        };
        if self.results.policies().len() == 1 {
            let text = format!(" reached {} in {metric}{}.", self.value(first), self.own_interval(first));
            return Headline { answer: words(&["", first, &text]), more: Vec::new(), paired: None };
        }
        let ahead = ranking.iter().copied().filter(|policy| *policy != self.results.baseline());
        let ahead: Vec<&str> = ahead.collect();
        let proven = ahead.iter().copied().find(|policy| self.is_ahead(policy, self.results.baseline()));
        match (proven, ahead.first()) {
            (Some(winner), _) => self.won(winner, &ahead),
            (None, Some(rival)) => self.not_won(rival),
            (None, None) => {
                let text = format!("The {metric} is undefined for every policy but ");
                Headline { answer: words(&[&text, first, "."]), more: Vec::new(), paired: None }
            }
        }
    }

    /// True if the interval of the difference lies entirely on the better side.
    fn is_ahead(&self, policy: &str, other: &str) -> bool {
        let interval = self.results.paired(policy, other, 0).and_then(|found| found.difference.interval);
        interval.is_some_and(|interval| match self.kind.better {
            Better::Lower => interval.high < 0.0,
            Better::Higher | Better::Neither => interval.low > 0.0,
        })
    }

    fn won(&self, winner: &str, others: &[&str]) -> Headline {
        let baseline = self.results.baseline();
        let verb = if self.kind.better == Better::Neither { "is above" } else { "is ahead of" };
        let start = format!(" {verb} the baseline ");
        let end = format!(" in {}: {}{}.", lower(self.kind.title), self.value(winner), self.gap(winner, baseline));
        let rival = others.iter().copied().find(|policy| *policy != winner);
        let mut more = rival.map(|rival| self.rival(winner, rival)).unwrap_or_default();
        more.extend(self.other_users(winner, baseline, !more.is_empty()));
        Headline {
            answer: words(&["", winner, &start, baseline, &end]),
            more,
            paired: self.results.paired(winner, baseline, 0),
        }
    }

    /// The effect of other users on the answer.
    fn other_users(&self, policy: &str, baseline: &str, goes_on: bool) -> Vec<Span> {
        let Some(Interval { low, high }) = self.results.other_users(policy, baseline, 0) else { return Vec::new() };
        let end = |value: f64| minus(&self.kind.format.difference(Some(value)));
        let (space, verdict) = (
            if goes_on { " " } else { "" },
            if low > 0.0 || high < 0.0 { "" } else { ": other users may reverse this" },
        );
        let text = format!(
            "{space}The interval is that of another seed. With other users like these the difference from the baseline lies between \
             {} and {}{} (95%){verdict}.",
            end(low),
            end(high),
            self.unit()
        );
        words(&[&text])
    }

    fn not_won(&self, rival: &str) -> Headline {
        let baseline = self.results.baseline();
        let paired = self.results.paired(rival, baseline, 0);
        let metric = lower(self.kind.title);
        let difference = paired.map(|found| found.difference);
        let answer = match difference.and_then(|found| found.interval) {
            _ if self.is_ahead(baseline, rival) => {
                let start = format!("No policy is ahead of the baseline in {metric}: ");
                let end = format!(" reached {}, the next best, ", self.value(baseline));
                let last = format!(", {}{}.", self.value(rival), self.gap(rival, baseline));
                words(&[&start, baseline, &end, rival, &last])
            }
            Some(Interval { low: 0.0, high: 0.0 }) => {
                let end = format!(" are exactly the same in {metric}: {}.", self.value(rival));
                words(&["", rival, " and ", baseline, &end])
            }
            Some(interval) => {
                let start = format!("No difference in {metric} could be shown between ");
                let middle = format!(" ({}) and the baseline ", self.value(rival));
                words(&[&start, rival, &middle, baseline, &self.open_interval(baseline, interval)])
            }
            None => {
                let middle = format!(" reached {} in {metric}, the baseline ", self.value(rival));
                let end = format!(
                    " {}. One replication, or differences that do not vary, give no interval: another seed may \
                     reverse this.",
                    self.value(baseline)
                );
                words(&["", rival, &middle, baseline, &end])
            }
        };
        Headline { answer, more: Vec::new(), paired }
    }

    /// The comparison of the winner with the best of the rest.
    fn rival(&self, winner: &str, rival: &str) -> Vec<Span> {
        let end = |after: &str| format!(" ({}){after}.", self.value(rival));
        if self.is_ahead(winner, rival) {
            words(&["It is also ahead of the next best, ", rival, &end(&self.gap(winner, rival))])
        } else if self.is_ahead(rival, winner) {
            words(&["It is itself behind ", rival, &end(", whose own difference from the baseline is less certain")])
        } else {
            words(&["Between it and ", rival, &end(" no difference could be shown")])
        }
    }

    fn value(&self, policy: &str) -> String {
        minus(&self.kind.format.value(self.results.estimate(policy, 0).map(|found| found.mean)))
    }

    fn own_interval(&self, policy: &str) -> String {
        let format = self.kind.format;
        match self.results.estimate(policy, 0).and_then(|found| found.interval) {
            Some(Interval { low, high }) => {
                format!(" (95% interval {} to {})", format.value(Some(low)), format.value(Some(high)))
            }
            None => " in one replication, which gives no interval".to_owned(),
        }
    }

    /// `, 2.1 percentage points more (95% interval 1.8 to 2.4)`.
    fn gap(&self, policy: &str, other: &str) -> String {
        let Some(found) = self.results.paired(policy, other, 0).map(|found| found.difference) else {
            return String::new();
        };
        let more = found.mean >= 0.0;
        let width = |value: f64| self.kind.format.width(Some(value));
        let interval = found.interval.map(|Interval { low, high }| {
            let (near, far) = if more { (low, high) } else { (-high, -low) };
            format!(" (95% interval {} to {})", minus(&width(near)), minus(&width(far)))
        });
        let direction = if more { "more" } else { "less" };
        format!(", {}{} {direction}{}", width(found.mean.abs()), self.unit(), interval.unwrap_or_default())
    }

    /// ` (12.3%): the difference lies between -0.1 and +0.3 percentage points.`
    fn open_interval(&self, other: &str, interval: Interval) -> String {
        let end = |value: f64| minus(&self.kind.format.difference(Some(value)));
        let (low, high) = (end(interval.low), end(interval.high));
        format!(" ({}): the 95% interval of the difference is {low} to {high}{}.", self.value(other), self.unit())
    }

    fn unit(&self) -> &'static str {
        match self.kind.format {
            Format::Percent { .. } => " percentage points",
            Format::Number { .. } => "",
        }
    }
}

/// Pieces, every second of which is a name.
fn words(pieces: &[&str]) -> Vec<Span> {
    let span = |(nth, text): (usize, &&str)| Span { text: (*text).to_owned(), strong: nth % 2 == 1 };
    pieces.iter().enumerate().map(span).filter(|span| !span.text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::testing::results;

    fn say(metric: &str, trials: &[(&str, &[f64])]) -> (String, String) {
        let runs = trials.iter().map(|(_, values)| values.iter().map(|value| [Some(*value)]).collect());
        let runs: Vec<Vec<[Option<f64>; 1]>> = runs.collect();
        let runs: Vec<Vec<&[Option<f64>]>> =
            runs.iter().map(|run| run.iter().map(|one| one.as_slice()).collect()).collect();
        let trials: Vec<(&str, &[&[Option<f64>]])> =
            trials.iter().zip(&runs).map(|((name, _), run)| (*name, run.as_slice())).collect();
        let said = headline(&results(&[metric], "random", &trials, 1));
        let text = |spans: Vec<Span>| spans.into_iter().map(|span| span.text).collect::<String>();
        (text(said.answer), text(said.more))
    }

    #[test]
    fn a_winner_and_its_rival() {
        let (answer, more) = say(
            "acceptance_rate",
            &[("random", &[0.10, 0.11, 0.12]), ("als", &[0.2, 0.212, 0.22]), ("knn", &[0.2, 0.21, 0.224])],
        );
        assert_eq!(
            answer,
            "knn is ahead of the baseline random in acceptance rate: 21.13%, 10.13 percentage points more \
             (95% interval 9.12 to 11.14)."
        );
        assert_eq!(more, "Between it and als (21.07%) no difference could be shown.");
    }

    #[test]
    fn less_is_better_for_some() {
        let (answer, more) = say("gini", &[("random", &[0.5, 0.52]), ("als", &[0.3, 0.316]), ("knn", &[0.4, 0.42])]);
        assert_eq!(
            answer,
            "als is ahead of the baseline random in gini of exposure: 0.308, 0.202 less (95% interval 0.122 to 0.282)."
        );
        assert!(more.starts_with("It is also ahead of the next best, knn (0.410), 0.102 less"), "{more}");
    }

    #[test]
    fn no_difference_no_win_no_interval() {
        let trials: [(&str, &[f64]); 2] = [("random", &[0.10, 0.12]), ("als", &[0.12, 0.11])];
        let (answer, more) = say("acceptance_rate", &trials);
        assert!(answer.starts_with("No difference in acceptance rate could be shown between als (11.50%)"), "{answer}");
        assert!(answer.contains("\u{2212}18.56 to +19.56 percentage points") && more.is_empty(), "{answer}");
        let (answer, _) = say("acceptance_rate", &[("random", &[0.20, 0.21]), ("als", &[0.1, 0.111])]);
        assert!(
            answer.starts_with("No policy is ahead of the baseline in acceptance rate: random reached"),
            "{answer}"
        );
        let (answer, _) = say("acceptance_rate", &[("random", &[0.2]), ("als", &[0.1])]);
        assert!(answer.contains("give no interval"), "{answer}");
        let (answer, _) = say("acceptance_rate", &[("random", &[0.2, 0.3]), ("als", &[0.2, 0.3])]);
        assert_eq!(answer, "als and random are exactly the same in acceptance rate: 25.00%.");
    }

    #[test]
    fn one_policy_and_undefined_values() {
        let (answer, _) = say("mean_rating", &[("random", &[3.0, 3.5])]);
        assert_eq!(answer, "random reached 3.250 in mean rating (95% interval 0.073 to 6.427).");
        let (answer, _) = say("mean_rating", &[("random", &[f64::NAN]), ("als", &[f64::NAN])]);
        assert_eq!(answer, "The mean rating is undefined in every replication.");
        let (answer, _) = say("mean_rating", &[("random", &[3.0]), ("als", &[f64::NAN])]);
        assert_eq!(answer, "The mean rating is undefined for every policy but random.");
        let (answer, _) = say("mean_rating", &[("random", &[f64::NAN]), ("als", &[3.0])]);
        assert!(answer.starts_with("als reached 3.000"), "{answer}");
    }
}
