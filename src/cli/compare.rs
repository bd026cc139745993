//! `recmirror compare`: the policies of several finished runs in one table.

use super::{Failure, print};
use crate::experiment::{Comparison, FinishedRun, TableFormat, write_table};
use crate::files::Partial;
use std::path::{Path, PathBuf};

/// Columns of the printed tables.
const TABLE_WIDTH: usize = 100;

/// Arguments of `compare`.
#[derive(clap::Args)]
pub struct Compare {
    /// The folders of the runs.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// With which policy the others are compared: `POLICY`, or `RUN/POLICY` where several runs have it. Without it: the
    /// baseline of the first run.
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// Compare runs with other data or another user model as well.
    #[arg(long)]
    anyway: bool,
    /// Write the table to this file: `.csv`, `.json` or `.parquet`. A file that is there is replaced.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Compare {
    pub(super) fn run(self) -> Result<(), Failure> {
        let target = self.out.as_deref().map(format_of).transpose()?;
        let runs = self.folders.iter().map(|folder| FinishedRun::read(folder)).collect::<Result<Vec<_>, _>>();
        let found = Comparison::new(runs.map_err(Failure::input)?, self.baseline.as_deref(), self.anyway);
        let found = found.map_err(Failure::input)?;
        for warning in &found.warnings {
            eprintln!("note: {warning}");
        }
        if let Some((path, format)) = target {
            let mut file = Partial::create(path).map_err(Failure::input)?;
            let written = write_table(&mut file, format, &found.rows);
            written.map_err(|problem| Failure::input(format!("cannot write {}: {problem}", path.display())))?;
            file.finish().map_err(Failure::input)?;
        }
        print(&found.table(TABLE_WIDTH));
        Ok(())
    }
}

fn format_of(path: &Path) -> Result<(&Path, TableFormat), Failure> {
    let format = TableFormat::of(path).ok_or_else(|| {
        Failure::input(format!("--out is {}; its name must end in .csv, .json or .parquet", path.display()))
    })?;
    Ok((path, format))
}
