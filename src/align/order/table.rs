//! The comparison as text for a terminal.

use super::{LearnedPolicy, Learning, OrderFigure, PairJudgement, PairOrder, PolicyOrder, SELF_SELECTED, StartPolicy};
use std::fmt::Write;

impl PolicyOrder {
    /// The tables of both parts.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "\npolicy order of {}: first slates, frozen policies, {} users with held-out interactions",
            self.scenario, self.users
        );
        let _ = writeln!(
            text,
            "  {:<28} {:<24} {:<26} {:<26} NDCG@10",
            "policy", "simulated value", "precision@10", "recall@10"
        );
        for StartPolicy { policy, simulated, precision, recall, ndcg } in &self.policies {
            let [simulated, precision, recall, ndcg] = [simulated, precision, recall, ndcg].map(figure);
            let _ = writeln!(text, "  {policy:<28} {simulated:<24} {precision:<26} {recall:<26} {ndcg}");
        }
        for of in &self.agreements {
            let _ = writeln!(
                text,
                "  simulated value and {:<9} Spearman {}, Kendall {}; of the pairs {} agree, {} disagree, {} are too close",
                of.measure,
                figure(&of.spearman),
                figure(&of.kendall),
                of.agree,
                of.disagree,
                of.too_close
            );
        }
        for PairJudgement { first, second, simulated, ndcg, .. } in
            self.pairs.iter().filter(|pair| pair.order == PairOrder::Disagrees)
        {
            let _ = writeln!(
                text,
                "  disagrees: {first} minus {second} is {} simulated, {} in NDCG@10",
                figure(simulated),
                figure(ndcg)
            );
        }
        self.learning.iter().for_each(|learning| learned(&mut text, learning));
        for problem in &self.left_out {
            let _ = writeln!(text, "  left out: {problem}");
        }
        let _ = writeln!(text, "  {SELF_SELECTED}");
        text
    }
}

fn learned(text: &mut String, found: &Learning) {
    let _ = writeln!(
        text,
        "what learning adds: {} at the first step and over the last tenth of {} replications; NDCG@10 on the second half of what {} \
         users had held out, without learning, after a replay of the first half, and trained again with it",
        found.metric, found.replications, found.users
    );
    let _ = writeln!(
        text,
        "  {:<28} {:>7} {:>7} {:>8}  {:<24} {:<24} {:<24} replay adds",
        "policy", "first", "last", "replay", "before", "replayed", "refitted"
    );
    for of in &found.policies {
        let LearnedPolicy { policy, simulated_first, simulated_last, replay_accepted, .. } = of;
        let [before, replayed, refitted, gain] =
            [&of.ndcg_before, &of.ndcg_replayed, &of.ndcg_refitted, &of.gain].map(figure);
        let _ = writeln!(
            text,
            "  {policy:<28} {simulated_first:>7.3} {simulated_last:>7.3} {replay_accepted:>8.3}  {before:<24} {replayed:<24} {refitted:<24} {gain}"
        );
    }
    for (what, of) in [
        ("the end of the run and the replayed policies", &found.spearman_replayed),
        ("the end of the run and the refitted policies", &found.spearman_refitted),
        ("what learning adds on both sides", &found.spearman_gain),
    ] {
        let _ = writeln!(text, "  {what}: Spearman {}", figure(of));
    }
}

/// The figure with its interval.
pub(crate) fn figure(of: &OrderFigure) -> String {
    if !of.estimate.is_finite() {
        return "-".to_owned();
    }
    if !of.low.is_finite() {
        return format!("{:.4}", of.estimate);
    }
    format!("{:.4} [{:.4}, {:.4}]", of.estimate, of.low, of.high)
}
