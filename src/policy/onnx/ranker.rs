//! A ranker in memory: histories in, scores of all items out.

use super::ranker_card::Card;
use crate::dataset::Catalogue;
use crate::ids::UserId;
use crate::onnx::{Graph, GraphSpec, OnnxError, Port, check_rows, row_bits};
use crate::policy::{Histories, PolicyError};
use std::path::{Path, PathBuf};

/// Users of one call of the graph. Never one: another kernel computes a product with a single row and rounds
/// differently.
pub(super) const ROWS: usize = 32;

/// A user and the slice for the scores, `[items]`.
pub(super) type Target<'a> = (UserId, &'a mut [f32]);

/// See the module's documentation.
pub(super) struct Ranker {
    graph: Graph,
    path: PathBuf,
    history: usize,
    ratings: bool,
    items: usize,
}

/// The content of one call.
struct Inputs {
    /// `[ROWS, history]`: item number + 1, the latest in the last column, 0 = none.
    numbers: Vec<f32>,
    /// The same for ratings, 0 = none; empty if the graph does not read them.
    ratings: Vec<f32>,
}

impl Ranker {
    /// Loads the ranker in `folder` and tests it.
    pub(super) fn load(folder: &Path, catalogue: &Catalogue) -> Result<Ranker, String> {
        let (card, path) = Card::read(folder, catalogue).map_err(|problem| problem.to_string())?;
        let port = |name: &str, size: usize| Port { name: name.to_owned(), shape: vec![size as i64] };
        let mut inputs = vec![port("history", card.history)];
        inputs.extend(card.ratings.then(|| port("ratings", card.history)));
        let spec = GraphSpec { inputs, outputs: vec![port("scores", card.items)] };
        let graph = Graph::load(&path, spec, rayon::current_num_threads()).map_err(|problem| problem.to_string())?;
        card.check_weights(folder, graph.weights()).map_err(|problem| problem.to_string())?;
        let Card { history, ratings, items, .. } = card;
        let ranker = Ranker { graph, path, history, ratings, items };
        ranker.try_out()?;
        Ok(ranker)
    }

    /// Items with a score.
    pub(super) fn items(&self) -> usize {
        self.items
    }

    /// Fills in the scores of at most [`ROWS`] users.
    pub(super) fn score(&self, users: &mut [Target<'_>], histories: &Histories) -> Result<(), PolicyError> {
        let mut inputs = self.blank();
        for row in 0..ROWS {
            // Unused rows are copies of the first.
            let (user, _) = users[if row < users.len() { row } else { 0 }];
            let places = (row * self.history..(row + 1) * self.history).rev();
            for (place, (item, rating)) in places.zip(histories.of(user).rev()) {
                inputs.numbers[place] = item.0 as f32 + 1.0;
                if self.ratings && !rating.is_nan() {
                    inputs.ratings[place] = rating;
                }
            }
        }
        self.run(&inputs, |found| self.hand_out(found, users)).map_err(PolicyError::new)?
    }

    fn hand_out(&self, found: &[f32], users: &mut [Target<'_>]) -> Result<(), PolicyError> {
        for ((user, scores), found) in users.iter_mut().zip(found.chunks_exact(self.items)) {
            if let Some(item) = found.iter().position(|score| !score.is_finite()) {
                let problem = format!(
                    "{}: `scores` is {} for item {item}, expected finite numbers",
                    self.path.display(),
                    found[item]
                );
                return Err(PolicyError::of_user(*user, problem));
            }
            scores.copy_from_slice(found);
        }
        Ok(())
    }

    fn blank(&self) -> Inputs {
        let size = ROWS * self.history;
        Inputs { numbers: vec![0.0; size], ratings: vec![0.0; if self.ratings { size } else { 0 }] }
    }

    /// One call; `read` receives `[ROWS, items]`.
    fn run<R>(&self, inputs: &Inputs, read: impl FnOnce(&[f32]) -> R) -> Result<R, String> {
        let shape = [ROWS as i64, self.history as i64];
        let tensors: [(&[i64], &[f32]); 2] = [(&shape, &inputs.numbers), (&shape, &inputs.ratings)];
        let used = if self.ratings { 2 } else { 1 };
        let read = |found: &[&[f32]]| read(found.first().copied().unwrap_or_default());
        self.graph.run(&tensors[..used], read).map_err(|problem| problem.to_string())
    }

    /// Runs the graph on histories of all lengths: checks that the output matches the card, and that a row depends on
    /// itself alone.
    fn try_out(&self) -> Result<(), String> {
        if self.items == 0 {
            return Ok(());
        }
        let outcome = check_rows(&self.path, ROWS, |places| {
            let mut inputs = self.blank();
            for row in 0..ROWS {
                let of = places.get(row).or(places.first()).copied().unwrap_or(0);
                for step in 0..self.history.min(1 + of) {
                    let place = (row + 1) * self.history - 1 - step;
                    inputs.numbers[place] = ((of * 31 + step) % self.items) as f32 + 1.0;
                    if self.ratings {
                        inputs.ratings[place] = (1 + (of + step) % 5) as f32;
                    }
                }
            }
            let shape = [ROWS as i64, self.history as i64];
            let tensors: [(&[i64], &[f32]); 2] = [(&shape, &inputs.numbers), (&shape, &inputs.ratings)];
            let used = if self.ratings { 2 } else { 1 };
            let mut rows = self.graph.run(&tensors[..used], |found| row_bits(found[0], self.items))?;
            rows.truncate(places.len());
            Ok::<_, OnnxError>(rows)
        });
        outcome.map_err(|problem| problem.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::sha256;
    use crate::policy::note_on_kind;
    use crate::policy::testing::{World, has_runtime, ranker_folder};

    /// Loads a copy of a fixture that `change` has damaged, and expects a refusal with these words.
    #[track_caller]
    fn refuse(words: &[&str], graph: &str, change: impl FnOnce(&Path)) {
        if !has_runtime() {
            return;
        }
        let catalogue = World::new(4, 30).context().catalogue;
        let folder = ranker_folder(graph, &catalogue);
        change(folder.path());
        let problem = Ranker::load(folder.path(), &catalogue).err().unwrap_or_else(|| panic!("loaded: {words:?}"));
        for word in words {
            assert!(problem.contains(word), "no `{word}` in: {problem}");
        }
    }

    /// Replaces a part of the card; the part must be there.
    fn edit(old: &str, new: &str) -> impl FnOnce(&Path) {
        move |folder| {
            let path = folder.join("card.toml");
            let card = std::fs::read_to_string(&path).expect("a card");
            assert!(card.contains(old), "`{old}` is not in the card");
            std::fs::write(&path, card.replacen(old, new, 1)).expect("written");
        }
    }

    /// Replaces the graph, and its hash in the card.
    fn replace(graph: &str, bytes: impl FnOnce(Vec<u8>) -> Vec<u8>) -> impl FnOnce(&Path) {
        move |folder| {
            let path = folder.join(format!("{graph}.onnx"));
            let old = std::fs::read(&path).expect("a graph");
            let (before, new) = (sha256(&old), bytes(old));
            edit(&before, &sha256(&new))(folder);
            std::fs::write(&path, new).expect("written");
        }
    }

    #[test]
    fn a_broken_card_is_refused() {
        let remove = |folder: &Path| std::fs::remove_file(folder.join("card.toml")).expect("removed");
        refuse(&["card.toml does not exist", "a ranker is a folder"], "ranker", remove);
        refuse(&["card.toml", "TOML"], "ranker", |folder| {
            std::fs::write(folder.join("card.toml"), "x = ").expect("written")
        });
        refuse(&["UTF-8"], "ranker", |folder| std::fs::write(folder.join("card.toml"), [0xff]).expect("written"));
        for (word, old, new) in [
            ("kind is `mirror`, expected `ranker`", "\"ranker\"", "\"mirror\""),
            ("version is 2, this build reads version 1", "version = 1", "version = 2"),
            ("unknown field `colour`", "version = 1", "version = 1\ncolour = 3"),
            ("missing field `summary`", "summary", "# summary"),
            ("missing field `licence`", "[licence]", "[measured]"),
            ("history is 0, expected 1 to 65536", "history = 8", "history = 0"),
            ("items is 16777216, expected less than", "items = 30", "items = 16777216"),
            ("[files.\"../ranker.onnx\"] is not a plain file name", "\"ranker.onnx\"", "\"../ranker.onnx\""),
            ("there are 2 tables [files.\"NAME\"]", "[training]", "[files.\"b.onnx\"]\nsha256 = \"0\"\n[training]"),
        ] {
            refuse(&["card.toml", word], "ranker", edit(old, new));
        }
    }

    #[test]
    fn a_card_of_an_earlier_version_is_read_with_a_note() {
        if !has_runtime() {
            return;
        }
        let catalogue = World::new(4, 30).context().catalogue;
        let folder = ranker_folder("ranker", &catalogue);
        edit("kind = \"ranker\"", "kind = \"scorer\"")(folder.path());
        assert!(Ranker::load(folder.path(), &catalogue).is_ok());
        let note = |card: &str| note_on_kind(Path::new("a/card.toml"), card.as_bytes());
        assert!(
            note("kind = \"scorer\"")
                .is_some_and(|note| note.starts_with("a/card.toml: kind `scorer` is now `ranker`"))
        );
        assert_eq!((note("kind = \"ranker\""), note("kind = ")), (None, None));
    }

    #[test]
    fn another_catalogue_is_refused() {
        refuse(
            &["the ranker knows 31 items, the catalogue has 30", "train it on this data set"],
            "ranker",
            edit("items = 30", "items = 31"),
        );
        let hash = World::new(4, 30).context().catalogue.hash();
        let edit = edit(&hash, "0123");
        refuse(&[&format!("have sha256 {hash}, the ranker was made for 0123"), "another order"], "ranker", edit);
    }

    #[test]
    fn a_broken_graph_is_refused() {
        let remove = |folder: &Path| std::fs::remove_file(folder.join("ranker.onnx")).expect("removed");
        refuse(&["ranker.onnx does not exist"], "ranker", remove);
        let change = |folder: &Path| std::fs::write(folder.join("ranker.onnx"), "other").expect("written");
        refuse(&["ranker.onnx: has sha256", "the card says"], "ranker", change);
        let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
        refuse(&["cannot load", "ranker.onnx"], "ranker", replace("ranker", half));
        refuse(&["cannot load", "ranker.onnx"], "ranker", replace("ranker", |_| b"this is no graph".to_vec()));
    }

    #[test]
    fn other_tensors_than_promised_are_refused() {
        refuse(
            &["ranker.onnx", "`history` has shape", "expected [batch, 9]"],
            "ranker",
            edit("history = 8", "history = 9"),
        );
        refuse(&["ranker.onnx: no input `ratings`"], "ranker", edit("ratings = false", "ratings = true"));
        refuse(&["rated.onnx: unexpected input `ratings`"], "rated", edit("ratings = true", "ratings = false"));
        let fewer = |mut bytes: Vec<u8>| {
            let thirty = 30i64.to_le_bytes();
            let at = bytes.windows(8).position(|part| part == thirty).expect("the number of items");
            bytes[at] = 29;
            bytes
        };
        let words = ["ranker.onnx", "`scores` has shape", "expected [batch, 30]"];
        refuse(&words, "ranker", replace("ranker", fewer));
        // A shape that the graph does not declare is known when it runs.
        let words = ["growing.onnx: output `scores` has shape", "expected [32, 30]"];
        refuse(&words, "growing", |_| ());
    }

    #[test]
    fn a_graph_that_looks_at_other_rows_is_refused() {
        refuse(&["social.onnx", "mixes the rows of a call", "a row must depend on itself alone"], "social", |_| ());
    }
}
