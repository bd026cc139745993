//! The checkpoint of a stopped fit.
//!
//! The weights after the last complete epoch, and the inputs that must be equal to continue.
//!
//! The first line is JSON; 32-bit floats follow, low byte first. An epoch draws from streams of its own, so a fit that
//! continues gives the bytes of one that never stopped.

use super::network::{Inputs, Network};
use super::training::Learner;
use super::{Course, FitError, FitOptions};
use crate::files::{FileError, Partial, sha256};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// Version of the file.
const VERSION: u32 = 3;
/// Larger files are none of ours.
const LARGEST: u64 = 1 << 30;

/// Everything on which the result depends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bound {
    pub(super) program: String,
    pub(super) data_hash: String,
    pub(super) options: FitOptions,
    pub(super) inputs: Inputs,
}

/// The progress of a fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standing {
    /// The trainings without the latest interactions that are done.
    pub(super) trials: Vec<Course>,
    /// True during the training of the final model.
    pub(super) is_final: bool,
    /// The training that runs.
    pub(super) course: Course,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: u32,
    bound: Bound,
    standing: Standing,
    steps: u64,
    epochs: u32,
    sha256: String,
}

/// Writes the state, replacing the old one.
pub(super) fn write(path: &Path, bound: &Bound, standing: &Standing, learner: &Learner) -> Result<(), FileError> {
    let parts = [&learner.network, &learner.moments[0], &learner.moments[1], &learner.mean];
    let numbers: Vec<u8> = parts.iter().flat_map(|part| part.values()).flat_map(|value| value.to_le_bytes()).collect();
    let head = Head {
        version: VERSION,
        bound: bound.clone(),
        standing: standing.clone(),
        steps: learner.steps,
        epochs: learner.epochs,
        sha256: sha256(&numbers),
    };
    let head = serde_json::to_string(&head).map_err(|problem| FileError::whole(path, problem.to_string()))?;
    let mut output = Partial::create(path)?;
    let put = output.write_all(head.as_bytes()).and_then(|()| output.write_all(b"\n"));
    put.and_then(|()| output.write_all(&numbers)).map_err(|source| FileError::write(path, source))?;
    output.finish()
}

/// Reads the state; `None` if there is no file.
///
/// # Errors
/// A file that is damaged, or of another fit.
pub(super) fn read(path: &Path, bound: &Bound) -> Result<Option<(Standing, Learner)>, FitError> {
    let Ok(about) = std::fs::metadata(path) else { return Ok(None) };
    let broken = |problem: &str| FitError::State { path: path.to_owned(), problem: problem.to_owned() };
    if !about.is_file() || about.len() > LARGEST {
        return Err(broken("it is not a regular file of at most 1 GiB"));
    }
    let bytes = std::fs::read(path).map_err(|source| FileError::read(path, source))?;
    let end = bytes.iter().position(|&byte| byte == b'\n').ok_or_else(|| broken("it has no first line"))?;
    let (head, numbers) = (&bytes[..end], &bytes[end + 1..]);
    let head: Head = serde_json::from_slice(head).map_err(|problem| broken(&problem.to_string()))?;
    if head.version != VERSION || head.sha256 != sha256(numbers) {
        return Err(broken("it is damaged or of another version"));
    }
    if head.bound != *bound {
        return Err(broken(
            "it belongs to a fit of other data, with other options, or by another version of the program",
        ));
    }
    let mut values = numbers.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let mut part = || {
        let mut network = Network::zeros(bound.inputs);
        network.values_mut().zip(&mut values).for_each(|(into, value)| *into = value);
        network
    };
    let [network, first, second, mean] = [part(), part(), part(), part()];
    if numbers.len() != 16 * network.len() {
        return Err(broken("it has another number of weights"));
    }
    let learner = Learner { network, moments: [first, second], mean, steps: head.steps, epochs: head.epochs };
    Ok(Some((head.standing, learner)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Streams};

    #[test]
    fn a_state_comes_back_and_a_foreign_or_damaged_one_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let inputs = Inputs { attributes: 2, vectors: 3, profile: 1, context: 2 };
        let bound = Bound { program: "p".into(), data_hash: "h".into(), options: FitOptions::default(), inputs };
        assert!(read(&path, &bound).expect("no file is no error").is_none());
        let random = |id| Network::random(&mut Streams::new(id, 0).derive(Purpose::Fitting, 0, 0), inputs);
        let learner =
            Learner { network: random(1), moments: [random(2), random(3)], mean: random(4), steps: 7, epochs: 3 };
        let standing = Standing {
            trials: vec![Course::default(), Course { rating_decay: Some(6.0), fold: 2, ..Course::default() }],
            is_final: true,
            // The reader of JSON gives a neighbour of each of these.
            course: Course {
                losses: vec![1.530_874_714_439_493_9, 1.584_062_915_004_443_9],
                later: vec![(1, 1.587_677_625_860_768_5)],
                ..Course::default()
            },
        };
        write(&path, &bound, &standing, &learner).expect("written");
        assert_eq!(read(&path, &bound).expect("read"), Some((standing, learner)));
        let other = Bound { data_hash: "another".into(), ..bound.clone() };
        let problem = read(&path, &other).expect_err("of another fit").to_string();
        assert!(problem.contains("other data") && problem.contains("state"), "{problem}");
        let mut bytes = std::fs::read(&path).expect("bytes");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).expect("written");
        assert!(read(&path, &bound).expect_err("damaged").to_string().contains("damaged"));
        std::fs::write(&path, "no line").expect("written");
        assert!(read(&path, &bound).is_err());
    }
}
