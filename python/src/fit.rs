//! Fits a user model to a data set and measures it.

use crate::data::Dataset;
use crate::errors::{of_users, refusal};
use crate::interrupt::interruptible;
use crate::table::Table;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use recmirror::align::{AlignOptions, Alignment, measure};
use recmirror::experiment::{Cell, ColumnKind, TableRow};
use recmirror::files::{Listing, OutputFolder, Quiet};
use recmirror::fit::{CardTexts, Control, FitError, FitOptions, fit as fit_model, own_files};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

const REMEDY: &str = "; force=True replaces a model that `fit` has written";

/// How a model is fitted.
struct Job {
    out: PathBuf,
    force: bool,
    options: FitOptions,
    scenes: usize,
    licence: String,
}

/// What a fit gave.
struct Made {
    interactions: usize,
    epochs: u32,
    skipped: Vec<String>,
    alignment: Option<Alignment>,
}

impl Job {
    fn carry_out(&self, data: &recmirror::dataset::Dataset, stop: &AtomicBool) -> PyResult<Made> {
        let replaces = self.force.then_some(own_files as Listing);
        let folder = OutputFolder::create(&self.out, replaces, REMEDY).map_err(of_users)?;
        let mut state = self.out.file_name().unwrap_or_default().to_owned();
        state.push(".fit");
        let state = self.out.with_file_name(state);
        let fitted = fit_model(data, self.options, Control { watch: &Quiet, stop, state: Some(&state) });
        let fitted = fitted.map_err(|problem| match problem {
            FitError::Stopped { .. } => PyKeyboardInterrupt::new_err(problem.to_string()),
            problem => of_users(problem),
        })?;
        let name = self.out.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fitted.write(data, &CardTexts { name, licence: self.licence.clone() }, folder.path()).map_err(of_users)?;
        let alignment = (self.scenes > 0).then(|| self.measure(data, folder.path())).transpose()?;
        folder.finish().map_err(of_users)?;
        let skipped = fitted.skipped.iter().flatten();
        let skipped =
            skipped.map(|field| format!("field `{}` is left out: it {}", field.field, field.reason)).collect();
        Ok(Made { interactions: fitted.rows, epochs: fitted.course.epochs, skipped, alignment })
    }

    fn measure(&self, data: &recmirror::dataset::Dataset, folder: &Path) -> PyResult<Alignment> {
        let options = AlignOptions { scenes: self.scenes, seed: self.options.seed, holdout: self.options.holdout };
        measure(folder, data, options).map_err(of_users)
    }
}

/// One figure of an alignment.
#[derive(Serialize)]
struct FigureRow {
    measure: &'static str,
    list: &'static str,
    who: String,
    estimate: f64,
    low: f64,
    high: f64,
    scenes: usize,
}

impl TableRow for FigureRow {
    const COLUMNS: &'static [(&'static str, ColumnKind)] = &[
        ("measure", ColumnKind::Text),
        ("list", ColumnKind::Text),
        ("who", ColumnKind::Text),
        ("estimate", ColumnKind::Number),
        ("low", ColumnKind::Number),
        ("high", ColumnKind::Number),
        ("scenes", ColumnKind::Whole),
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::from(&self.measure),
            Cell::from(&self.list),
            Cell::from(&self.who),
            Cell::from(&self.estimate),
            Cell::from(&self.low),
            Cell::from(&self.high),
            Cell::from(&self.scenes),
        ]
    }
}

/// Figures of an alignment, its verdict, and whether the model is to be trusted.
type Aligned = (Table, String, bool);

fn aligned(found: &Alignment) -> PyResult<Aligned> {
    let row = |figure: &recmirror::align::Figure| FigureRow {
        measure: figure.measure,
        list: figure.list,
        who: figure.who.clone(),
        estimate: figure.estimate,
        low: figure.low,
        high: figure.high,
        scenes: figure.scenes,
    };
    let rows: Vec<FigureRow> = found.figures.iter().map(row).collect();
    let verdict = found.verdict();
    Ok((Table::of(&rows)?, verdict.text, verdict.is_trusted))
}

/// What [`fit`] gives: interactions, epochs, fields that were left out, and the alignment.
type Fitted = (usize, u32, Vec<String>, Option<Aligned>);

/// Fits a model into a folder, and measures it on held-out users.
#[pyfunction]
#[pyo3(signature = (data, out, force, seed, holdout, epochs, rank, scenes, licence))]
#[expect(clippy::too_many_arguments, reason = "keywords of Python")]
pub fn fit(
    py: Python<'_>,
    data: &Dataset,
    out: PathBuf,
    force: bool,
    seed: u64,
    holdout: f64,
    epochs: Option<u32>,
    rank: Option<usize>,
    scenes: usize,
    licence: String,
) -> PyResult<Fitted> {
    if !(0.01..=0.9).contains(&holdout) {
        return Err(refusal(format!("holdout is {holdout}, expected 0.01 to 0.9")));
    }
    let options = FitOptions { seed, holdout, epochs, rank, ..FitOptions::default() };
    let job = Job { out, force, options, scenes, licence };
    let data = data.inner.clone();
    let made = interruptible(py, |stop| job.carry_out(&data, stop))??;
    Ok((made.interactions, made.epochs, made.skipped, made.alignment.as_ref().map(aligned).transpose()?))
}
