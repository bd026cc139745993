//! The machine of a run, for reproducibility.

use super::prepare::Experiment;
use serde::{Deserialize, Serialize};

/// The machine of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MachineRecord {
    /// Operating system and processor architecture.
    pub platform: String,
    /// Vector instructions.
    pub cpu_features: Vec<String>,
    /// Worker threads.
    pub threads: usize,
    /// Rows of one inference call.
    pub chunk: usize,
}

pub(super) fn machine_record(experiment: &Experiment) -> MachineRecord {
    MachineRecord {
        platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        cpu_features: cpu_features(),
        threads: rayon::current_num_threads(),
        chunk: experiment.scenario.engine.chunk,
    }
}

fn cpu_features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    {
        let found = [
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ];
        found.into_iter().filter(|(_, has)| *has).map(|(name, _)| name.to_owned()).collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        Vec::new()
    }
}
