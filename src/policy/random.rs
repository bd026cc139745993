use super::{Policy, PolicyKind, Requests, Slates, rank_candidates};

pub(super) const KIND: PolicyKind =
    PolicyKind { name: "random", summary: "", keys: &[], build: |_, _| Ok(Box::new(Random)) };

struct Random;

impl Policy for Random {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) {
        slates.fill(requests, |request, slot| rank_candidates(&request, &vec![0.0; request.items], slot));
    }
}
