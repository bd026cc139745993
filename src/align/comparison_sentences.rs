//! Sentences that compare a model with item-kNN and with another user's memory.
//!
//! Two figures differ if their 95% intervals do not overlap. That is stricter than an interval of the difference, so
//! the sentences err on the safe side.

/// An estimate with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The estimate, from 0 to 1.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
}

impl Share {
    fn is_above(self, other: Share) -> bool {
        self.low > other.high
    }
}

/// The sentences for the accuracies of a model, of item-kNN and of the model with another user's memory on lists called
/// `lists`. An undefined figure is not mentioned.
pub fn comparison_sentences(lists: &str, model: Share, near: Option<Share>, stranger: Option<Share>) -> Vec<String> {
    let percent = |share: Share| format!("{:.1}%", 100.0 * share.estimate);
    let points = |a: Share, b: Share| format!("{:.1}", 100.0 * (a.estimate - b.estimate).abs());
    let mut said = Vec::new();
    if let Some(near) = near {
        said.push(if model.is_above(near) {
            format!(
                "The model beats item-kNN on {lists} lists by {} points ({} against {}).",
                points(model, near),
                percent(model),
                percent(near)
            )
        } else if near.is_above(model) {
            format!(
                "The model loses to item-kNN on {lists} lists by {} points ({} against {}): item-kNN knows \
                 more about these users; do not compare policies on them.",
                points(model, near),
                percent(model),
                percent(near)
            )
        } else {
            format!(
                "The model is not distinguishable from item-kNN on {lists} lists ({} against {}).",
                percent(model),
                percent(near)
            )
        });
    }
    if let Some(stranger) = stranger {
        said.push(if model.is_above(stranger) {
            format!("{} points of its accuracy are personal: another user's memory takes them away.", points(model, stranger))
        } else {
            format!(
                "The model is impersonal: with another user's memory it is as good ({} against {}); do not use it to compare \
                 policies that personalise.",
                percent(stranger), percent(model)
            )
        });
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(estimate: f64) -> Share {
        Share { estimate, low: estimate - 0.02, high: estimate + 0.02 }
    }

    #[test]
    fn a_model_that_loses_or_is_impersonal_is_named() {
        let said = |model, near, stranger| {
            comparison_sentences("popularity-matched", share(model), Some(share(near)), Some(share(stranger))).join(" ")
        };
        let good = said(0.63, 0.55, 0.31);
        assert!(
            good.contains("beats item-kNN on popularity-matched lists by 8.0 points (63.0% against 55.0%)"),
            "{good}"
        );
        assert!(good.contains("32.0 points of its accuracy are personal"), "{good}");
        let poor = said(0.409, 0.494, 0.40);
        assert!(poor.contains("loses to item-kNN on popularity-matched lists by 8.5 points"), "{poor}");
        assert!(poor.contains("impersonal: with another user's memory it is as good (40.0% against 40.9%)"), "{poor}");
        assert!(said(0.50, 0.52, 0.2).contains("not distinguishable from item-kNN"), "overlapping intervals");
        assert!(comparison_sentences("random", share(0.5), None, None).is_empty());
    }
}
