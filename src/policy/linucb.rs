use super::{Policy, PolicyKind, Requests, Slates, rank_candidates};

pub(super) const KIND: PolicyKind = PolicyKind {
    name: "linucb",
    summary: "contextual linear bandit (Li et al. 2010)",
    keys: &[],
    build: |_, _| Ok(Box::new(LinUcb)),
};

struct LinUcb;

impl Policy for LinUcb {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) {
        slates.fill(requests, |request, slot| rank_candidates(&request, &vec![0.0; request.items], slot));
    }
}
