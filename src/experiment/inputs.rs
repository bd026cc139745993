//! The input check of a resumed run.

use super::machine::machine_record;
use super::manifest::{Manifest, user_record};
use super::prepare::Experiment;

impl Manifest {
    /// Changes of the inputs since the run: `Err` for a change that would mix two experiments; `Ok` for changes that
    /// affect at most the last bit of an inference.
    ///
    /// # Errors
    /// A sentence about the first input that differs.
    pub fn changes(&self, experiment: &Experiment) -> Result<Vec<String>, String> {
        let (data, user, machine) = (&experiment.data, user_record(experiment), machine_record(experiment));
        let inputs = [
            ("data set", &self.data.hash, &data.hash),
            ("user model", &self.user.hash, &user.hash),
            ("acceptance level", &self.user.reject_shift.to_string(), &user.reject_shift.to_string()),
        ];
        if let Some((what, then, now)) = inputs.into_iter().find(|(_, then, now)| then != now) {
            return Err(format!("the {what} is not the one of the run ({now}, then {then})"));
        }
        if self.rankers != experiment.rankers {
            return Err("the networks that policies run are not those of the run (other hashes)".to_owned());
        }
        let features = |names: &[String]| names.join(" ");
        let bits = [
            ("recmirror", self.recmirror.clone(), env!("CARGO_PKG_VERSION").to_owned()),
            ("ONNX Runtime", self.user.runtime.clone(), user.runtime),
            ("the platform", self.machine.platform.clone(), machine.platform),
            ("the processor", features(&self.machine.cpu_features), features(&machine.cpu_features)),
        ];
        let changed = bits.into_iter().filter(|(_, then, now)| then != now);
        Ok(changed.map(|(what, then, now)| format!("{what} was {then} and is {now}")).collect())
    }
}
